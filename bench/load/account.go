package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// What /proc/<pid>/stat counts in: USER_HZ, 100 on Linux whatever its own tick.
const ticksPerSecond = 100

// account is what the kernel has noted of a process, all its threads together.
type account struct {
	// To the nanosecond.
	cpu float64
	// To the tick.
	user, system float64
}

func readAccount(pid int) (account, error) {
	var a account
	var spec syscall.Timespec
	// The CPU clock of another process: CPUCLOCK_SCHED of clock_getcpuclockid(3).
	clock := uintptr(^pid<<3 | 2)
	_, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&spec)), 0)
	if errno != 0 {
		return a, fmt.Errorf("the CPU clock of process %d: %w", pid, errno)
	}
	a.cpu = float64(spec.Nano()) / 1e9
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return a, err
	}
	// Fields 14 and 15, counted behind the name, which is in parentheses and may have blanks.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	a.user, a.system = user/ticksPerSecond, system/ticksPerSecond
	return a, nil
}

// resetPeak lets the peak of a process's resident memory begin anew; without the right to do so it
// stays that of its life.
func resetPeak(pid int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// peak returns the peak of a process's resident memory (VmHWM), in bytes.
func peak(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(status), "\n") {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmHWM:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no VmHWM", pid)
}
