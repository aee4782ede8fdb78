package lists

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/text/encoding/unicode"
)

// readAll reads a file into one line for each row and refusal.
func readAll(t testing.TB, r io.Reader) string {
	t.Helper()
	in, err := newImportReader(r, 1)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for {
		row, refusal, err := in.next()
		switch {
		case err == io.EOF:
			return strings.Join(out, "\n")
		case err != nil:
			t.Fatal(err)
		case refusal != nil:
			out = append(out, fmt.Sprintf("%d ! %s", refusal.Line, refusal.Reason))
		default:
			out = append(out, fmt.Sprintf("%d %s|%s|%s%s%v", row.line, row.Address, row.Name, row.Mode, row.State, row.Hidden))
		}
	}
}

func TestImportReads(t *testing.T) {
	t.Parallel()
	const plain = "|eachactivefalse"
	for _, tt := range []struct{ name, file, want string }{
		{"nothing", "", ""},
		{"blank lines", "\n\r\n  \n", ""},
		{"a mailbox a line", "ann@x.example\r\n\nBob B <bob@x.example>\n\"Doe, J\" <j@x.example>\neve@x.example (Eve)",
			"1 ann@x.example|" + plain + "\n3 bob@x.example|Bob B" + plain + "\n4 j@x.example|Doe, J" + plain + "\n5 eve@x.example|Eve" + plain},
		{"a name with a comma first", "Doe, J <j@x.example>", "1 j@x.example|Doe, J" + plain},
		{"bad lines", "ann\nann@\nann@x..example\nann@x.example\nann@x.example\r\nBcc: x\n", "1 ! not an address of the form local-part@domain\n2 ! not an address of the form local-part@domain\n" +
			"3 ! not an address of the form local-part@domain\n4 ann@x.example|" + plain + "\n5 ann@x.example|" + plain + "\n6 ! not an address of the form local-part@domain"},
		{"csv", "address,name\nann@x.example,Ann\nbob@x.example\n,\n,Nobody\n", "2 ann@x.example|Ann" + plain + "\n3 bob@x.example|" + plain + "\n5 ! there is no address"},
		{"csv with a mark and other columns", "\ufeff\"Name\";\"E-Mail\";\"Age\"\r\n\"Müller; \"\"Kurt\"\"\";kurt@x.example;7\r\n", "2 kurt@x.example|Müller; \"Kurt\"" + plain},
		{"tabs", "Email Address\tFull name\nann@x.example\tAnn B\n", "2 ann@x.example|Ann B" + plain},
		{"one column", "email\nann@x.example\n", "2 ann@x.example|" + plain},
		{"a mailbox in a cell", "name,address\n,Ann <ann@x.example>\nAnna,Ann <b@x.example>\n", "2 ann@x.example|Ann" + plain + "\n3 b@x.example|Anna" + plain},
		{"settings", "address,mode,state,hidden,own_posts\na@x.example,none,user,true,false\nb@x.example,daily,,,\n",
			"2 a@x.example||noneusertrue\n3 ! mode cannot be \"daily\": it is one of each, digest, summary, none"},
		{"a formula that was made safe", "address,name\na@x.example,'=cmd\nb@x.example,'n Sync\n", "2 a@x.example|=cmd" + plain + "\n3 b@x.example|'n Sync" + plain},
		{"a cell over two lines", "address,name,note\na@x.example,\"A\nB\",\"x\ny\"\nb@x.example,B,\n", "2 a@x.example|A B" + plain + "\n5 b@x.example|B" + plain},
		{"a forgotten mark", "address,name\na@x.example,\"Ann\nb@x.example,\"Bob\nc@x.example,C\n",
			"2 ! a quotation mark is not closed\n3 ! a quotation mark is not closed\n4 c@x.example|C" + plain},
		{"a mark inside a cell", "address,name\na@x.example,Ann \"A\" B\n", "2 a@x.example|Ann \"A\" B" + plain},
		{"csv without a header", "ann@x.example,Ann\n", "1 ! not an address of the form local-part@domain; a file of several columns needs a first line that names them, such as address,name"},
		{"windows-1252", "address,name\na@x.example,M\xfcller\n", "2 a@x.example|Müller" + plain},
		{"a line break in a name", "address,name\na@x.example,\"A\r\nBcc: evil@x.example\"\n", "2 a@x.example|A Bcc: evil@x.example" + plain},
		{"international", "zoë@bücher.example\n", "1 zoë@bücher.example|" + plain},
	} {
		if got := readAll(t, strings.NewReader(tt.file)); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
		if got := readAll(t, iotest.OneByteReader(strings.NewReader(tt.file))); got != tt.want {
			t.Errorf("%s, byte by byte:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

func TestImportReadsUTF16(t *testing.T) {
	t.Parallel()
	file, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String("address\tname\r\na@x.example\tZoë\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, strings.NewReader(file)); got != "2 a@x.example|Zoë|eachactivefalse" {
		t.Error(got)
	}
}

func TestImportGoesOnAfterALongLine(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"", "address,name\n"} {
		long := strings.Repeat("x", 3*maxRecord)
		got := readAll(t, strings.NewReader(header+"a@x.example\n"+long+"\nb@x.example\n"+long))
		n := strings.Count(header, "\n")
		want := fmt.Sprintf("%d a@x.example||eachactivefalse\n%d ! the line is too long\n%d b@x.example||eachactivefalse\n%d ! the line is too long", n+1, n+2, n+3, n+4)
		if got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
	}
}

func TestImportLosesNoLongLineInAnOpenCell(t *testing.T) {
	t.Parallel()
	file := "address,name\na@x.example,\"A\n" + strings.Repeat("x", 2*maxRecord) + "\nb@x.example,B\n"
	if got := readAll(t, strings.NewReader(file)); got != "2 ! a quotation mark is not closed\n3 ! the line is too long\n4 b@x.example|B|eachactivefalse" {
		t.Error(got)
	}
}

func FuzzImportReader(f *testing.F) {
	for _, seed := range []string{
		"ann@x.example\nBob <b@x.example>\n", "address,name\na@x.example,\"A\n\nB\"\n", "\ufeffemail;name\n\"\"\"\";x\n", "\xff\xfea\x00", "address\n\"\n\"\"\n\"\"\"\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		in, err := newImportReader(bytes.NewReader(file), 1)
		if err != nil {
			return
		}
		last, lines := 0, bytes.Count(file, []byte("\n"))+1
		for {
			row, refusal, err := in.next()
			if err != nil {
				if err != io.EOF {
					t.Fatalf("%v", err)
				}
				return
			}
			number := row.line
			if refusal != nil {
				number = refusal.Line
			} else if strings.ContainsAny(row.Address+row.Name, "\r\n\x00") {
				t.Fatalf("line %d: %q <%q>", number, row.Name, row.Address)
			}
			if number <= last || number > lines+last {
				t.Fatalf("line %d after %d", number, last)
			}
			last = number
		}
	})
}
