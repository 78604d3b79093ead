// Command go_relay joins the websockets /a/N and /b/N with nhooyr.io/websocket, reading and writing
// whole messages, as the Go original of the gateway does. It is only there to be measured.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"

	"nhooyr.io/websocket"
)

const maxMessage = 64 << 20

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	http.Serve(listener, &relay{executors: map[string]*websocket.Conn{}})
}

type relay struct {
	mutex     sync.Mutex
	executors map[string]*websocket.Conn
}

func (r *relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	side, name, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	if side == "a" {
		executor, err := accept(w, req)
		if err != nil {
			return
		}
		r.mutex.Lock()
		r.executors[name] = executor
		r.mutex.Unlock()
		// It lives for as long as its harness uses it.
		return
	}
	r.mutex.Lock()
	executor := r.executors[name]
	delete(r.executors, name)
	r.mutex.Unlock()
	if executor == nil {
		http.Error(w, "no executor", http.StatusServiceUnavailable)
		return
	}
	harness, err := accept(w, req)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go pump(ctx, cancel, executor, harness)
	pump(ctx, cancel, harness, executor)
	harness.Close(websocket.StatusNormalClosure, "")
	executor.Close(websocket.StatusNormalClosure, "")
}

func accept(w http.ResponseWriter, req *http.Request) (*websocket.Conn, error) {
	conn, err := websocket.Accept(w, req, &websocket.AcceptOptions{
		CompressionMode: websocket.CompressionDisabled,
	})
	if err == nil {
		conn.SetReadLimit(maxMessage)
	}
	return conn, err
}

func pump(ctx context.Context, cancel func(), from, to *websocket.Conn) {
	defer cancel()
	for {
		kind, message, err := from.Read(ctx)
		if err != nil {
			return
		}
		if to.Write(ctx, kind, message) != nil {
			return
		}
	}
}
