package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// The opcodes of RFC 6455 section 5.2.
const (
	opText   = 1
	opBinary = 2
	opClose  = 8
	opPing   = 9
	opPong   = 10
)

// headerRoom is the longest frame header: the frame of a message that was read is made in place.
const headerRoom = 14

const maxMessage = 64 << 20

// maskKey masks what clients send. One key for all: what is measured is the target, which cannot
// know, and a frame that is sent many times is made once.
var maskKey = [4]byte{0x5a, 0xc3, 0x96, 0x3c}

// socket is a websocket that moves whole messages and spends as little on it as it can, so that the
// load is not what is measured. One goroutine reads; several may write.
type socket struct {
	conn   net.Conn
	reader *bufio.Reader
	// Clients mask what they send and servers do not.
	client bool
	write  sync.Mutex
	// Holds the header's room and then the last message.
	buffer []byte
}

func newSocket(conn net.Conn, reader *bufio.Reader, client bool) *socket {
	return &socket{conn: conn, reader: reader, client: client, buffer: make([]byte, headerRoom+1024)}
}

// refusal is an answer other than 101.
type refusal struct{ status int }

func (r refusal) Error() string { return fmt.Sprintf("refused with %d", r.status) }

// dial opens a websocket, without extensions. A refusal is a refusal.
func dial(address string) (*socket, error) {
	target, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	// Go sets TCP_NODELAY.
	conn, err := net.DialTimeout("tcp", target.Host, 20*time.Second)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", target.RequestURI(), target.Host)
	if err != nil {
		conn.Close()
		return nil, err
	}
	reader := bufio.NewReaderSize(conn, 16<<10)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		conn.Close()
		return nil, err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		conn.Close()
		return nil, refusal{response.StatusCode}
	}
	return newSocket(conn, reader, true), nil
}

// read returns the next text or binary message; it is good until the next read.
func (s *socket) read() (op byte, message []byte, err error) {
	end := headerRoom
	for {
		frame, err := s.readHeader()
		if err != nil {
			return 0, nil, err
		}
		if frame.op >= opClose {
			if err := s.control(frame); err != nil {
				return 0, nil, err
			}
			continue
		}
		if frame.op != 0 {
			op = frame.op
		}
		start := end
		end += frame.length
		if end > headerRoom+maxMessage {
			return 0, nil, fmt.Errorf("a message of more than %d bytes", maxMessage)
		}
		if end > len(s.buffer) {
			grown := make([]byte, end+end/4)
			copy(grown, s.buffer[:start])
			s.buffer = grown
		}
		if _, err := io.ReadFull(s.reader, s.buffer[start:end]); err != nil {
			return 0, nil, err
		}
		if frame.masked {
			mask(s.buffer[start:end], frame.key)
		}
		if frame.fin {
			return op, s.buffer[headerRoom:end], nil
		}
	}
}

// echo sends the message that was just read; it is not good any more then.
func (s *socket) echo(op byte, message []byte) error {
	if s.client {
		mask(message, maskKey)
	}
	size := headerSize(len(message), s.client)
	frame := s.buffer[headerRoom-size : headerRoom+len(message)]
	putHeader(frame, op, len(message), s.client)
	return s.send(frame)
}

// send writes a frame that is made already.
func (s *socket) send(frame []byte) error {
	s.write.Lock()
	defer s.write.Unlock()
	_, err := s.conn.Write(frame)
	return err
}

type header struct {
	fin    bool
	op     byte
	masked bool
	key    [4]byte
	length int
}

func (s *socket) readHeader() (header, error) {
	var bytes [8]byte
	if _, err := io.ReadFull(s.reader, bytes[:2]); err != nil {
		return header{}, err
	}
	frame := header{fin: bytes[0]&0x80 != 0, op: bytes[0] & 0x0f, masked: bytes[1]&0x80 != 0}
	if bytes[0]&0x70 != 0 {
		return frame, fmt.Errorf("a frame of an extension that was not asked for")
	}
	frame.length = int(bytes[1] & 0x7f)
	switch frame.length {
	case 126:
		if _, err := io.ReadFull(s.reader, bytes[:2]); err != nil {
			return frame, err
		}
		frame.length = int(binary.BigEndian.Uint16(bytes[:2]))
	case 127:
		if _, err := io.ReadFull(s.reader, bytes[:8]); err != nil {
			return frame, err
		}
		length := binary.BigEndian.Uint64(bytes[:8])
		if length > maxMessage {
			return frame, fmt.Errorf("a frame of %d bytes", length)
		}
		frame.length = int(length)
	}
	if frame.masked {
		if _, err := io.ReadFull(s.reader, frame.key[:]); err != nil {
			return frame, err
		}
	}
	return frame, nil
}

func (s *socket) control(frame header) error {
	payload := make([]byte, frame.length)
	if _, err := io.ReadFull(s.reader, payload); err != nil {
		return err
	}
	if frame.masked {
		mask(payload, frame.key)
	}
	switch frame.op {
	case opPing:
		return s.send(makeFrame(opPong, payload, s.client))
	case opClose:
		if len(payload) < 2 {
			return io.EOF
		}
		return fmt.Errorf("closed with %d %s", binary.BigEndian.Uint16(payload), bytes.TrimSpace(payload[2:]))
	}
	return nil
}

// makeFrame makes a frame of its own memory.
func makeFrame(op byte, message []byte, client bool) []byte {
	size := headerSize(len(message), client)
	frame := make([]byte, size+len(message))
	putHeader(frame, op, len(message), client)
	copy(frame[size:], message)
	if client {
		mask(frame[size:], maskKey)
	}
	return frame
}

func headerSize(length int, client bool) int {
	size := 2
	if length > 0xffff {
		size += 8
	} else if length > 125 {
		size += 2
	}
	if client {
		size += 4
	}
	return size
}

func putHeader(frame []byte, op byte, length int, client bool) {
	frame[0] = 0x80 | op
	at := 2
	switch {
	case length > 0xffff:
		frame[1] = 127
		binary.BigEndian.PutUint64(frame[2:], uint64(length))
		at = 10
	case length > 125:
		frame[1] = 126
		binary.BigEndian.PutUint16(frame[2:], uint16(length))
		at = 4
	default:
		frame[1] = byte(length)
	}
	if client {
		frame[1] |= 0x80
		copy(frame[at:], maskKey[:])
	}
}

// mask masks or unmasks in place.
func mask(message []byte, key [4]byte) {
	narrow := uint64(binary.LittleEndian.Uint32(key[:]))
	wide := narrow<<32 | narrow
	for len(message) >= 32 {
		words := message[:32]
		binary.LittleEndian.PutUint64(words[0:], binary.LittleEndian.Uint64(words[0:])^wide)
		binary.LittleEndian.PutUint64(words[8:], binary.LittleEndian.Uint64(words[8:])^wide)
		binary.LittleEndian.PutUint64(words[16:], binary.LittleEndian.Uint64(words[16:])^wide)
		binary.LittleEndian.PutUint64(words[24:], binary.LittleEndian.Uint64(words[24:])^wide)
		message = message[32:]
	}
	for i := range message {
		message[i] ^= key[i&3]
	}
}
