package privatepg

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// postmaster is what PostgreSQL's lock file in its data directory says of it.
type postmaster struct {
	pid    int
	socket string // directory of its socket
}

// readPidfile reads postmaster.pid: the process id is its first line, the socket's directory its
// fifth. Both zero where there is no file, or where its writer had not come as far.
func readPidfile(path string) (postmaster, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return postmaster{}, nil
	}
	if err != nil {
		return postmaster{}, err
	}
	lines := strings.Split(string(text), "\n")
	if lines[0] == "" {
		return postmaster{}, nil
	}
	pid, err := strconv.Atoi(lines[0])
	if err != nil || pid < 2 {
		return postmaster{}, fmt.Errorf("%s: %q is not the number of a process", path, lines[0])
	}
	p := postmaster{pid: pid}
	if len(lines) > 4 {
		p.socket = lines[4]
	}
	return p, nil
}

// occupied says whether some process has the pid.
func (p postmaster) occupied() bool {
	return p.pid != 0 && !errors.Is(syscall.Kill(p.pid, 0), syscall.ESRCH)
}

// alive says whether the process is a PostgreSQL still. After a restart of the machine or the
// container its number may be somebody else's.
func (p postmaster) alive() bool {
	return p.occupied() && commandOf(p.pid) == "postgres"
}

// commandOf is the name of a process's program, "" for a zombie, which has ended but was not
// waited for yet.
func commandOf(pid int) string {
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
		if open < 0 || end < open || bytes.HasPrefix(stat[end:], []byte(") Z")) {
			return ""
		}
		return string(stat[open+1 : end])
	}
	out, err := exec.Command("ps", "-p", strconv.Itoa(pid), "-o", "comm=").Output()
	if err != nil {
		return ""
	}
	name := strings.TrimSpace(string(out))
	return name[strings.LastIndexByte(name, '/')+1:]
}
