package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	dialsAtOnce = 16
	// How long a target may take until it joins a harness to an executor that has dialled in.
	joinTimeout = 20 * time.Second
	// How long what is under way may take to come back.
	drainTimeout = 60 * time.Second
)

// group is the bridges through one target.
type group struct {
	executors []*socket
	harnesses []*harness
}

// End names a websocket to dial, and the stream that a harness claims.
type End struct {
	URL    string `json:"url"`
	Stream string `json:"stream"`
}

// openGroup dials the executors, then the harnesses, and waits until every bridge has carried a
// message.
func openGroup(executors []string, ends []End) (*group, error) {
	g := &group{executors: make([]*socket, len(executors)), harnesses: make([]*harness, len(ends))}
	err := inParallel(len(executors), dialsAtOnce, func(i int) (err error) {
		if g.executors[i], err = dial(executors[i]); err == nil {
			go echoAll(g.executors[i])
		}
		return
	})
	if err == nil {
		err = inParallel(len(ends), dialsAtOnce, func(i int) error {
			s, err := dialWhenReady(ends[i].URL)
			if err != nil {
				return err
			}
			g.harnesses[i] = newHarness(s, ends[i].Stream)
			r := g.harnesses[i].start(resume(ends[i].Stream), opBinary, 1, 0)
			return r.wait(joinTimeout)
		})
	}
	if err != nil {
		g.close()
	}
	return g, err
}

// dialWhenReady dials a bridge again for as long as its executor is not there or is held.
func dialWhenReady(address string) (*socket, error) {
	for until := time.Now().Add(joinTimeout); ; time.Sleep(5 * time.Millisecond) {
		s, err := dial(address)
		var refused refusal
		if err == nil || !errors.As(err, &refused) || time.Now().After(until) {
			return s, err
		}
		if refused.status != http.StatusServiceUnavailable && refused.status != http.StatusConflict {
			return nil, err
		}
	}
}

func (g *group) close() {
	for _, h := range g.harnesses {
		if h != nil {
			h.socket.conn.Close()
		}
	}
	for _, s := range g.executors {
		if s != nil {
			s.conn.Close()
		}
	}
}

// Figures are what a measurement found. CPU and memory are the target's.
type Figures struct {
	RoundTrips    int     `json:"roundTrips"`
	Seconds       float64 `json:"seconds"`
	CPUSeconds    float64 `json:"cpuSeconds"`
	UserSeconds   float64 `json:"userSeconds"`
	SystemSeconds float64 `json:"systemSeconds"`
	P50Micros     float64 `json:"p50Micros"`
	P99Micros     float64 `json:"p99Micros"`
	PeakBytes     int64   `json:"peakBytes"`
	// What the load itself cost.
	LoadCPUSeconds float64 `json:"loadCpuSeconds"`
}

// measure sends on every bridge for so long, waits for what is under way, and counts all of it.
func (g *group) measure(pid, bytes int, asText bool, inFlight int, for_ time.Duration) (*Figures, error) {
	if inFlight < 1 || inFlight > maxInFlight {
		return nil, fmt.Errorf("between 1 and %d messages can be in flight", maxInFlight)
	}
	messages := make([][]byte, len(g.harnesses))
	op := byte(opBinary)
	for i, h := range g.harnesses {
		if asText {
			op = opText
			messages[i] = text(h.stream, bytes)
		} else {
			messages[i] = relayData(h.stream, bytes)
		}
		if len(messages[i]) != bytes {
			return nil, fmt.Errorf("a message of %d bytes cannot be made", bytes)
		}
	}
	resetPeak(pid)
	before, err := readAccount(pid)
	if err != nil {
		return nil, err
	}
	ownBefore, _ := readAccount(os.Getpid())
	began := time.Now()
	runs := make([]*run, len(g.harnesses))
	for i, h := range g.harnesses {
		runs[i] = h.start(messages[i], op, inFlight, for_)
	}
	var times histogram
	for _, r := range runs {
		if err := r.wait(for_ + drainTimeout); err != nil {
			return nil, err
		}
		times.addAll(r.times)
	}
	seconds := time.Since(began).Seconds()
	after, err := readAccount(pid)
	if err != nil {
		return nil, err
	}
	ownAfter, _ := readAccount(os.Getpid())
	peakBytes, err := peak(pid)
	if err != nil {
		return nil, err
	}
	for _, h := range g.harnesses {
		h.run.Store(nil)
	}
	return &Figures{
		RoundTrips:     times.count,
		Seconds:        seconds,
		CPUSeconds:     after.cpu - before.cpu,
		UserSeconds:    after.user - before.user,
		SystemSeconds:  after.system - before.system,
		P50Micros:      float64(times.quantile(0.5)) / 1e3,
		P99Micros:      float64(times.quantile(0.99)) / 1e3,
		PeakBytes:      peakBytes,
		LoadCPUSeconds: ownAfter.cpu - ownBefore.cpu,
	}, nil
}

func (r *run) wait(timeout time.Duration) error {
	select {
	case err := <-r.done:
		return err
	case <-time.After(timeout):
		return fmt.Errorf("%d came back of %d sent, and no more", r.received.Load(), r.total.Load())
	}
}

// inParallel calls work for each of n, so many at once, and returns one of the errors.
func inParallel(n, atOnce int, work func(i int) error) error {
	var group sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	errs := make(chan error, n)
	for i := 0; i < n; i++ {
		group.Add(1)
		slots <- struct{}{}
		go func(i int) {
			defer group.Done()
			if err := work(i); err != nil {
				errs <- err
			}
			<-slots
		}(i)
	}
	group.Wait()
	close(errs)
	return <-errs
}
