package privatepg

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// door is how PostgreSQL gets into its directory. Where root's Muster keeps its data below a
// directory closed to others, /root say, the account owns the directory but cannot walk to it. It
// is then handed the directory as an open file: /proc/self/fd/3 leads straight in, for PostgreSQL
// and all its children, and nobody's permissions have to change.
type door struct {
	path string   // what PostgreSQL calls the directory
	file *os.File // what it inherits as its descriptor 3, or nil
}

const throughDescriptor = "/proc/self/fd/3"

func openDoor(a Account, dir string) (door, error) {
	blocked := a.blocked(dir)
	if blocked == "" {
		return door{path: dir}, nil
	}
	if runtime.GOOS != "linux" {
		return door{}, fmt.Errorf("the user %s, as whom PostgreSQL runs, may not enter %s: choose another --data-dir", a.Name, blocked)
	}
	file, err := os.Open(dir)
	if err != nil {
		return door{}, err
	}
	return door{path: throughDescriptor, file: file}, nil
}

// files is what the child inherits from its descriptor 3 on.
func (d door) files() []*os.File {
	if d.file == nil {
		return nil
	}
	return []*os.File{d.file}
}

func (d door) close() {
	if d.file != nil {
		d.file.Close()
	}
}

// blocked is the first directory above dir that the account may not enter, "" for none.
func (a Account) blocked(dir string) string {
	if !a.other {
		return ""
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return dir
	}
	blocked := ""
	for up := filepath.Dir(real); ; up = filepath.Dir(up) {
		if info, err := os.Stat(up); err != nil || !a.mayEnter(info) {
			blocked = up
		}
		if up == filepath.Dir(up) {
			return blocked
		}
	}
}

func (a Account) mayEnter(dir os.FileInfo) bool {
	uid, gid := owner(dir)
	switch bits := dir.Mode().Perm(); {
	case uid == a.uid:
		return bits&0o100 != 0
	case gid == a.gid:
		return bits&0o010 != 0
	default:
		return bits&0o001 != 0
	}
}

func owner(info os.FileInfo) (uid, gid int) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid), int(stat.Gid)
	}
	return -1, -1
}
