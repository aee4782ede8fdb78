package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// peakMB is the most memory a process has had, in MB, as Linux keeps it.
func peakMB(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parseMB(status, "VmHWM:")
}

// parseMB reads a line such as "VmHWM:    12345 kB".
func parseMB(status []byte, name string) (float64, error) {
	for line := range bytes.Lines(status) {
		value, ok := bytes.CutPrefix(line, []byte(name))
		if !ok {
			continue
		}
		kb, err := strconv.ParseFloat(string(bytes.TrimSuffix(bytes.TrimSpace(value), []byte(" kB"))), 64)
		return kb / 1024, err
	}
	return 0, fmt.Errorf("no %s in the status of a process: %q", name, status)
}

// resetPeak makes the kernel count a process's peak anew.
func resetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0o200)
}

// watchPeak looks at a process until it ends, for its rusage would count this one's memory from
// before the exec as well. The function it returns is called when the process has ended.
func watchPeak(pid int) (peak func() float64) {
	stop, result := make(chan struct{}), make(chan float64, 1)
	go func() {
		most := 0.0
		defer func() { result <- most }()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			if mb, err := peakMB(pid); err == nil { // else it is gone
				most = max(most, mb)
			}
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	return func() float64 {
		close(stop)
		return <-result
	}
}
