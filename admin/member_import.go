package admin

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"

	"muster/lists"
)

// importPage takes a file of members.
type importPage struct {
	listFrame
	DryRun bool
	Report *lists.ImportReport
	Errors formErrors
}

func (s *Site) showImport(v *visit) error {
	return s.renderImport(v, http.StatusOK, importPage{})
}

func (s *Site) renderImport(v *visit, code int, p importPage) error {
	p.listFrame = v.listFrame("members")
	return v.show(code, "import", p)
}

// importMembers takes the whole file in before the first line of it is looked at. The choices stand
// before the file in the form, so they are known when it begins.
func (s *Site) importMembers(v *visit) error {
	file, options, err := readImport(v.Request())
	if err != nil {
		return err
	}
	if file == nil {
		return s.renderImport(v, http.StatusUnprocessableEntity, importPage{Errors: formErrors{"file": v.words.Text("import.nofile", nil)}})
	}
	report, err := s.importFile(v, file, options)
	if err != nil {
		if tooBig := new(http.MaxBytesError); errors.As(err, &tooBig) {
			err = errTooBig
		}
		errs, code, err := v.refused(err)
		if err != nil {
			return err
		}
		return s.renderImport(v, code, importPage{Errors: errs})
	}
	return s.renderImport(v, http.StatusOK, importPage{DryRun: options.DryRun, Report: &report})
}

func (s *Site) importFile(v *visit, r io.Reader, options lists.ImportOptions) (lists.ImportReport, error) {
	file, err := s.receive(r)
	if err != nil {
		return lists.ImportReport{}, err
	}
	defer file.Close()
	return s.lists.Import(v.Request().Context(), v.actor, v.list.ID, file, options)
}

// readImport reads the form as far as its file; nil if there is none.
func readImport(r *http.Request) (io.Reader, lists.ImportOptions, error) {
	var options lists.ImportOptions
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, options, errBadForm
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, options, nil
		}
		if err != nil {
			return nil, options, errBadForm
		}
		if part.FormName() == "file" {
			return fileOf(part), options, nil
		}
		setImportOption(&options, part.FormName())
	}
}

// fileOf is the file of a part, or nil where the browser sent the input without one.
func fileOf(part *multipart.Part) io.Reader {
	if part.FileName() == "" {
		return nil
	}
	return part
}

func setImportOption(o *lists.ImportOptions, name string) {
	switch name {
	case "dry":
		o.DryRun = true
	case "welcome":
		o.Welcome = true
	case "again":
		o.Again = true
	}
}
