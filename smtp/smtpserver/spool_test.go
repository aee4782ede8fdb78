package smtpserver

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
)

func TestSpool(t *testing.T) {
	t.Parallel()
	s := spool{dir: t.TempDir(), memory: 100}
	for _, size := range []int{0, 99, 100, 101, 5000, 3} {
		var want bytes.Buffer
		for n := 0; want.Len() < size; n++ {
			piece := bytes.Repeat([]byte{byte(n)}, min(33, size-want.Len()))
			want.Write(piece)
			if n, err := s.Write(piece); n != len(piece) || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
		}
		got, err := io.ReadAll(s.open())
		if err != nil || !bytes.Equal(got, want.Bytes()) || s.size() != int64(size) {
			t.Errorf("%d octets: got %d, size %d, %v", size, len(got), s.size(), err)
		}
		if names, err := os.ReadDir(s.dir); err != nil || len(names) > 0 {
			t.Errorf("the file has a name: %v, %v", names, err)
		}
		if err := s.reset(); err != nil || s.size() != 0 {
			t.Errorf("size %d after reset, %v", s.size(), err)
		}
	}
}

func TestSpoolWithoutRoom(t *testing.T) {
	t.Parallel()
	limits := Limits{}.withDefaults()
	limits.Memory = 100
	in := intake{limits: &limits, spool: spool{dir: t.TempDir() + "/gone", memory: 100}}
	in.begin()
	for range 100 {
		in.add([]byte(strings.Repeat("x", 70) + "\r\n"))
	}
	m, refusal := in.message()
	if m != nil || refusal == nil || refusal.Error() != "452 4.3.1 No room to store the message now; try again later" {
		t.Errorf("got %v, %v", m, refusal)
	}
	if in.err == nil {
		t.Error("nothing for the log")
	}
	in.begin()
	in.add([]byte("A: b\r\n"))
	if m, refusal = in.message(); m == nil || m.Size != 6 || refusal != nil {
		t.Errorf("the next message: %v, %v", m, refusal)
	}
}

func TestSpoolKeepsLittle(t *testing.T) {
	t.Parallel()
	s := spool{dir: t.TempDir(), memory: 1 << 20}
	if _, err := s.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := s.reset(); err != nil || cap(s.head) > keepBuffer {
		t.Errorf("%d octets kept for the next message, %v", cap(s.head), err)
	}
}
