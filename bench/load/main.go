// Command load opens bridges through a target, from both sides, and measures what round trips over
// them cost it. It takes one JSON command a line and answers each with one JSON line; the first line
// that it prints says where its echo server listens.
//
// Only deno's driver talks with it: see bench/relays/load_generator.ts.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// Command is one of open, register, connect, measure and close, for the bridges of a group.
type Command struct {
	Do    string `json:"do"`
	Group string `json:"group"`
	// open
	Executors []string `json:"executors"`
	// open, connect
	Harnesses []End `json:"harnesses"`
	// connect
	AtOnce int `json:"atOnce"`
	// register
	Registrations []Registration `json:"registrations"`
	// measure
	PID          int  `json:"pid"`
	Bytes        int  `json:"bytes"`
	Text         bool `json:"text"`
	InFlight     int  `json:"inFlight"`
	Milliseconds int  `json:"milliseconds"`
}

func main() {
	echo, err := serveEcho()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	answers := json.NewEncoder(os.Stdout)
	answers.Encode(map[string]string{"echo": echo})
	groups := map[string]*group{}
	commands := json.NewDecoder(bufio.NewReader(os.Stdin))
	for {
		var command Command
		if err := commands.Decode(&command); err == io.EOF {
			return
		} else if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		figures, err := perform(groups, command)
		if err != nil {
			answers.Encode(map[string]string{"error": err.Error()})
		} else {
			answers.Encode(map[string]any{"figures": figures})
		}
	}
}

func perform(groups map[string]*group, command Command) (any, error) {
	g := groups[command.Group]
	switch {
	case command.Do == "open":
		opened, err := openGroup(command.Executors, command.Harnesses)
		if err == nil {
			groups[command.Group] = opened
		}
		return nil, err
	case command.Do == "register":
		arrived, arrivals, err := registerAll(command.Registrations)
		groups[command.Group] = arrived
		return arrivals, err
	case command.Do == "connect":
		connected, arrivals, err := connectAll(command.Harnesses, command.AtOnce)
		groups[command.Group] = connected
		return arrivals, err
	case g == nil:
		return nil, fmt.Errorf("no group %q", command.Group)
	case command.Do == "close":
		g.close()
		delete(groups, command.Group)
		return nil, nil
	case command.Do == "measure":
		duration := time.Duration(command.Milliseconds) * time.Millisecond
		return g.measure(command.PID, command.Bytes, command.Text, command.InFlight, duration)
	}
	return nil, fmt.Errorf("no command %q", command.Do)
}
