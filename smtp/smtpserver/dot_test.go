package smtpserver

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// readDots reads a message through a buffer of that size.
func readDots(wire io.Reader, size int) (message, rest string, err error) {
	in := bufio.NewReaderSize(wire, size)
	d := dotReader{in: in}
	var got bytes.Buffer
	for {
		piece, err := d.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return got.String(), "", err
		}
		if len(piece) == 0 {
			return "", "", errors.New("empty piece")
		}
		got.Write(piece)
	}
	left, err := io.ReadAll(in)
	return got.String(), string(left), err
}

func TestDotReader(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, wire, message, rest string }{
		{"empty", ".\r\n", "", ""},
		{"plain", "a\r\n.\r\n", "a\r\n", ""},
		{"next command", "a\r\n.\r\nQUIT\r\n", "a\r\n", "QUIT\r\n"},
		{"stuffed", "..\r\n..a\r\n.b\r\n.\r\n", ".\r\n.a\r\nb\r\n", ""},
		{"bare LF", "a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", ""},
		{"LF dot CRLF", "a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", ""},
		{"CRLF dot LF", "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", ""},
		{"CRLF dot CR", "a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", ""},
		{"CRLF dot CR CRLF", "a\r\n.\r\r\nb\r\n.\r\n", "a\r\n\r\r\nb\r\n", ""},
		{"CR dot CR", "a\r.\rb\r\n.\r\n", "a\r.\rb\r\n", ""},
		{"CR CRLF dot", "a\r\r\n.\r\n", "a\r\r\n", ""},
		{"LF at the start", "\n.\r\na\r\n.\r\n", "\n.\r\na\r\n", ""},
		{"dot dot at the end", "a\r\n..\r\n.\r\n", "a\r\n.\r\n", ""},
		{"NUL", "\x00\r\n.\x00\r\n.\r\n", "\x00\r\n\x00\r\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{16, 17, 18, 19, 20, 4096} {
				for _, wire := range []io.Reader{strings.NewReader(tt.wire), iotest.OneByteReader(strings.NewReader(tt.wire))} {
					message, rest, err := readDots(wire, size)
					if message != tt.message || rest != tt.rest || err != nil {
						t.Fatalf("buffer %d: got %q, rest %q, %v", size, message, rest, err)
					}
				}
			}
		})
	}
}

func TestDotReaderBrokenOff(t *testing.T) {
	t.Parallel()
	whole := "a\r\n..b\r\n\r.\r\n.\r\n"
	for n := range len(whole) {
		if _, _, err := readDots(strings.NewReader(whole[:n]), 16); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%q: %v", whole[:n], err)
		}
	}
}

// FuzzDotReader holds the reader against the definition: the message ends at the first CRLF dot CRLF,
// and a dot after CRLF goes.
func FuzzDotReader(f *testing.F) {
	f.Add([]byte("a\r\n.\r\nQUIT\r\n"), 16)
	f.Fuzz(func(t *testing.T, wire []byte, size int) {
		size = 16 + int(uint(size)%64)
		body, rest, ended := strings.Cut("\r\n"+string(wire), "\r\n.\r\n")
		body = strings.ReplaceAll(body+"\r\n", "\r\n.", "\r\n")[2:]
		message, left, err := readDots(iotest.HalfReader(bytes.NewReader(wire)), size)
		if !ended {
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("ended early: %q, %v", message, err)
			}
			return
		}
		if message != body || left != rest || err != nil {
			t.Fatalf("got %q, rest %q, %v; want %q, rest %q", message, left, err, body, rest)
		}
	})
}

// dotted is a message of that size as it goes over the wire.
func dotted(size int) string {
	line := strings.Repeat("x", 70) + "\r\n"
	return strings.Repeat(line, size/len(line)) + ".\r\n"
}

func TestDotReaderAllocatesNothing(t *testing.T) {
	wire := strings.NewReader("")
	in := bufio.NewReaderSize(wire, inBuffer)
	message := dotted(100 << 10)
	allocs := testing.AllocsPerRun(10, func() {
		wire.Reset(message)
		in.Reset(wire)
		drain(t, in)
	})
	if allocs > 0 {
		t.Errorf("%v allocations for 100 KB", allocs)
	}
}

// drain reads a message and looks at it as the session does.
func drain(t testing.TB, in *bufio.Reader) {
	d := dotReader{in: in}
	seen := text{limit: 998}
	for {
		piece, err := d.next()
		if err == io.EOF {
			return
		}
		if err != nil || seen.scan(piece) != faultNone {
			t.Fatal(err)
		}
	}
}

func BenchmarkDotReader(b *testing.B) {
	for _, size := range []struct {
		name   string
		octets int
	}{{"1KB", 1 << 10}, {"1MB", 1 << 20}, {"25MB", 25 << 20}} {
		b.Run(size.name, func(b *testing.B) {
			message := dotted(size.octets)
			wire := strings.NewReader("")
			in := bufio.NewReaderSize(wire, inBuffer)
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			for b.Loop() {
				wire.Reset(message)
				in.Reset(wire)
				drain(b, in)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}
