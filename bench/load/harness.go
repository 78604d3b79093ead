package main

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"time"
)

// maxInFlight bounds the messages of one harness that are under way.
const maxInFlight = 64

// harness is one end of a bridge whose other end echoes. Its reader runs for as long as its socket
// lives, so that pings are answered between runs too.
type harness struct {
	socket *socket
	stream string
	run    atomic.Pointer[run]
	ended  error
	gone   chan struct{}
}

// run is one harness's part of a measurement.
type run struct {
	message  []byte
	frame    []byte
	op       byte
	inFlight int
	deadline time.Time
	// When each message under way was sent, in nanoseconds since began.
	began  time.Time
	sentAt [maxInFlight]atomic.Int64
	sent   int
	// How many were sent in all; -1 until that is known.
	total    atomic.Int64
	received atomic.Int64
	tokens   chan struct{}
	finished atomic.Bool
	times    *histogram
	done     chan error
}

func newHarness(s *socket, stream string) *harness {
	h := &harness{socket: s, stream: stream, gone: make(chan struct{})}
	go h.readAll()
	return h
}

// start begins to send, and to send again for each message that came back, until the deadline. What
// is under way then is waited for: done tells.
func (h *harness) start(message []byte, op byte, inFlight int, for_ time.Duration) *run {
	now := time.Now()
	r := &run{
		message:  message,
		frame:    makeFrame(op, message, true),
		op:       op,
		inFlight: inFlight,
		began:    now,
		deadline: now.Add(for_),
		times:    new(histogram),
		tokens:   make(chan struct{}, maxInFlight),
		done:     make(chan error, 1),
	}
	r.total.Store(-1)
	h.run.Store(r)
	if inFlight == 1 {
		if err := h.sendOne(r, now); err != nil {
			r.finish(err)
		}
		return r
	}
	// A writer of its own: one that waited to write while it did not read could wait for ever.
	go h.writeAll(r)
	return r
}

func (h *harness) writeAll(r *run) {
	for i := 0; i < r.inFlight; i++ {
		r.tokens <- struct{}{}
	}
	for range r.tokens {
		now := time.Now()
		if now.After(r.deadline) {
			r.stop()
			return
		}
		if err := h.sendOne(r, now); err != nil {
			r.finish(err)
			return
		}
	}
}

func (h *harness) sendOne(r *run, now time.Time) error {
	r.sentAt[r.sent%maxInFlight].Store(int64(now.Sub(r.began)))
	r.sent++
	return h.socket.send(r.frame)
}

func (h *harness) readAll() {
	for {
		op, message, err := h.socket.read()
		if err != nil {
			h.ended = err
			close(h.gone)
			if r := h.run.Load(); r != nil {
				r.finish(err)
			}
			return
		}
		if r := h.run.Load(); r != nil {
			h.received(r, op, message)
		}
	}
}

func (h *harness) received(r *run, op byte, message []byte) {
	if op != r.op || !bytes.Equal(message, r.message) {
		r.finish(fmt.Errorf("what came back is not what was sent"))
		return
	}
	now := time.Now()
	count := r.received.Load()
	r.times.add(int64(now.Sub(r.began)) - r.sentAt[count%maxInFlight].Load())
	r.received.Store(count + 1)
	if r.inFlight > 1 {
		if total := r.total.Load(); total < 0 {
			r.tokens <- struct{}{}
		}
		r.finishIfAllCame()
		return
	}
	if now.After(r.deadline) {
		r.stop()
	} else if err := h.sendOne(r, now); err != nil {
		r.finish(err)
	}
}

func (r *run) stop() {
	r.total.Store(int64(r.sent))
	r.finishIfAllCame()
}

func (r *run) finishIfAllCame() {
	if r.received.Load() == r.total.Load() {
		r.finish(nil)
	}
}

func (r *run) finish(err error) {
	if r.finished.CompareAndSwap(false, true) {
		r.done <- err
	}
}
