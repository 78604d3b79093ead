package main

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
)

// echoAll sends back every message until the socket ends.
func echoAll(s *socket) {
	defer s.conn.Close()
	for {
		op, message, err := s.read()
		if err != nil {
			return
		}
		if s.echo(op, message) != nil {
			return
		}
	}
}

// serveEcho answers websockets with an echo, for a proxy to stand in front of, and returns its address.
func serveEcho() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sum := sha1.New()
		io.WriteString(sum, r.Header.Get("Sec-WebSocket-Key")+"258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
		conn, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"+
			"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
			base64.StdEncoding.EncodeToString(sum.Sum(nil)))
		echoAll(newSocket(conn, buffered.Reader, false))
	}))
	return listener.Addr().String(), nil
}
