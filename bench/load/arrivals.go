package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Registration is what an executor registers with before it dials in.
type Registration struct {
	URL   string `json:"url"`
	Token string `json:"token"`
	Body  string `json:"body"`
}

// Arrivals are what became of peers that came at once.
type Arrivals struct {
	Seconds float64 `json:"seconds"`
	// How long the last but one per cent of them took, and the last.
	P99Seconds     float64 `json:"p99Seconds"`
	SlowestSeconds float64 `json:"slowestSeconds"`
}

// registerAll has every executor register and dial in, all of them at once and each once, as codex does.
func registerAll(registrations []Registration) (*group, *Arrivals, error) {
	// As that of so many processes: each has a connection of its own.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	g := &group{executors: make([]*socket, len(registrations))}
	arrivals, err := arrive(len(registrations), len(registrations), func(i int) error {
		url, err := register(client, registrations[i])
		if err != nil {
			return err
		}
		if g.executors[i], err = dial(url); err == nil {
			go echoAll(g.executors[i])
		}
		return err
	})
	return g, arrivals, err
}

func register(client *http.Client, r Registration) (string, error) {
	request, err := http.NewRequest(http.MethodPost, r.URL, strings.NewReader(r.Body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+r.Token)
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("a registration was refused with %d: %s", response.StatusCode, body)
	}
	var answer struct {
		URL string `json:"url"`
	}
	return answer.URL, json.Unmarshal(body, &answer)
}

// connectAll dials every bridge, some at once and each once.
func connectAll(ends []End, atOnce int) (*group, *Arrivals, error) {
	g := &group{harnesses: make([]*harness, len(ends))}
	arrivals, err := arrive(len(ends), atOnce, func(i int) error {
		s, err := dial(ends[i].URL)
		if err == nil {
			g.harnesses[i] = newHarness(s, ends[i].Stream)
		}
		return err
	})
	return g, arrivals, err
}

func arrive(n, atOnce int, work func(i int) error) (*Arrivals, error) {
	var times histogram
	var lock sync.Mutex
	began := time.Now()
	err := inParallel(n, atOnce, func(i int) error {
		one := time.Now()
		err := work(i)
		lock.Lock()
		defer lock.Unlock()
		times.add(int64(time.Since(one)))
		return err
	})
	return &Arrivals{
		Seconds:        time.Since(began).Seconds(),
		P99Seconds:     float64(times.quantile(0.99)) / 1e9,
		SlowestSeconds: float64(times.quantile(0.999999)) / 1e9,
	}, err
}
