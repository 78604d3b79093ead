package main

import "encoding/binary"

// resume claims a stream on a relay bridge; on every other it is a message like any.
func resume(stream string) []byte {
	return append(relayHeader(stream), 7<<3|2, 0)
}

// relayData makes a relay frame of exactly so many bytes that carries data on a stream.
func relayData(stream string, bytes int) []byte {
	frame := append(relayHeader(stream), 5<<3|2)
	length := bytes - len(frame) - 1
	for length > 0 && len(frame)+varintSize(length)+length > bytes {
		length--
	}
	frame = binary.AppendUvarint(frame, uint64(length))
	return fill(frame, bytes)
}

// text makes a JSON text of exactly so many bytes.
func text(stream string, bytes int) []byte {
	message := fill([]byte(`{"id":"`+stream+`","output":"`), bytes-2)
	return append(message, `"}`...)
}

func relayHeader(stream string) []byte {
	header := []byte{1 << 3, 1, 2<<3 | 2, byte(len(stream))}
	return append(header, stream...)
}

func fill(message []byte, bytes int) []byte {
	for i := len(message); i < bytes; i++ {
		message = append(message, 'a'+byte(i*7%26))
	}
	return message
}

func varintSize(value int) int {
	size := 1
	for ; value > 0x7f; value >>= 7 {
		size++
	}
	return size
}
