package lists

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"muster/smtp"
)

// ImportOptions is how a file of members is brought in.
type ImportOptions struct {
	DryRun   bool               // change nothing, report what would be
	Again    bool               // bring back who left, was removed or is banned
	Welcome  bool               // mail each new member
	Progress func(ImportReport) // called now and then; may be nil
}

// ImportReport is what came of a file so far.
type ImportReport struct {
	Added    int
	Already  int // members before, or twice in the file
	Refused  int
	Refusals []Refusal // the first MaxRefusals, in the order of their lines
}

// Refusal is a line that was not brought in.
type Refusal struct {
	Line   int
	Text   string // its beginning
	Code   string // message id, for the catalogues
	Reason string
}

// MaxRefusals is how many refused lines a report shows; it counts all.
const MaxRefusals = 1000

// importBatch is how many lines go into one transaction. Sorted by key, a batch walks the indexes
// once instead of jumping about in them.
const importBatch = 20_000

// Import adds the members that a file names: CSV with a header (address, name, mode, state, hidden,
// own_posts, addressed_posts, language, vacation; others are passed over), or one mailbox a line. It goes through batch by
// batch: what is in stays in if the file breaks off, and the same file may be brought again.
// It holds a connection of the database until r ends, so r should not be somebody's slow line. Beyond a
// few at a time, an import waits for another to end, or for ctx to.
func (s *Service) Import(ctx context.Context, by Actor, listID int64, r io.Reader, opts ImportOptions) (ImportReport, error) {
	l, err := s.manage(ctx, s.pool, by, listID)
	if err != nil {
		return ImportReport{}, err
	}
	im := &importer{service: s, by: by, list: l, opts: opts}
	if err := im.run(ctx, r); err != nil {
		return im.report, fmt.Errorf("import into %s: %w", l.Address(), err)
	}
	return im.report, nil
}

// importer is one import under way.
type importer struct {
	service *Service
	by      Actor
	list    List
	opts    ImportOptions

	store  *importStore
	served []string // domains of ours, whose addresses need a closer look
	tombs  bool     // somebody ever left the list
	batch  []importRow
	report ImportReport
}

func (im *importer) run(ctx context.Context, r io.Reader) (err error) {
	in, err := newImportReader(r, im.list.ID)
	if err != nil {
		return err
	}
	select {
	case im.service.imports <- struct{}{}:
		defer func() { <-im.service.imports }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if im.store, err = openImport(ctx, im.service.pool, im.opts.DryRun); err != nil {
		return err
	}
	defer im.store.close(context.WithoutCancel(ctx))
	if im.served, im.tombs, err = selectImportFacts(ctx, im.store.conn, im.list.ID); err != nil {
		return err
	}
	im.batch = make([]importRow, 0, importBatch)
	err = im.readAll(ctx, in)
	return errors.Join(err, im.finish(context.WithoutCancel(ctx)))
}

// finish writes the audit row, also of an import that broke off.
func (im *importer) finish(ctx context.Context) error {
	if im.opts.DryRun || im.report.Added == 0 {
		return nil
	}
	if im.report.Added >= importBatch {
		if err := im.store.analyze(ctx); err != nil {
			return err
		}
	}
	return audit(ctx, im.store.conn, im.by, "member.import", im.list.ID, map[string]any{
		"added": im.report.Added, "already": im.report.Already, "refused": im.report.Refused,
	})
}

func (im *importer) readAll(ctx context.Context, in *importReader) error {
	for {
		row, refusal, err := in.next()
		switch {
		case err == io.EOF:
			return im.flush(ctx)
		case err != nil:
			return errors.Join(im.flush(ctx), err)
		case refusal != nil:
			im.refuse(*refusal)
			continue
		}
		im.batch = append(im.batch, row)
		if len(im.batch) == importBatch {
			if err := im.flush(ctx); err != nil {
				return err
			}
		}
	}
}

func (im *importer) refuse(r Refusal) {
	im.report.Refused++
	if len(im.report.Refusals) < MaxRefusals {
		im.report.Refusals = append(im.report.Refusals, r)
	}
}

// refuseRow notes a row that an *Error speaks against; any other error is returned.
func (im *importer) refuseRow(row importRow, err error) error {
	var wrong *Error
	if !errors.As(err, &wrong) {
		return err
	}
	im.report.Refused++
	im.report.Refusals = append(im.report.Refusals, Refusal{Line: row.line, Text: row.Address, Code: wrong.Code, Reason: wrong.Msg})
	return nil
}

// sortRefusals puts those of a batch, which is in another order and comes later, where they belong.
func (im *importer) sortRefusals() {
	slices.SortFunc(im.report.Refusals, func(a, b Refusal) int { return cmp.Compare(a.Line, b.Line) })
	if len(im.report.Refusals) > MaxRefusals {
		im.report.Refusals = im.report.Refusals[:MaxRefusals:MaxRefusals]
	}
}

// flush brings the batch in.
func (im *importer) flush(ctx context.Context) error {
	if len(im.batch) == 0 {
		return nil
	}
	defer im.sortRefusals()
	im.sortBatch()
	if err := im.checkOwn(ctx); err != nil {
		return err
	}
	if err := im.checkTombstones(ctx); err != nil {
		return err
	}
	added, err := im.insert(ctx)
	if err != nil {
		return err
	}
	im.report.Added += added
	im.report.Already += len(im.batch) - added
	im.batch = im.batch[:0]
	if im.opts.Progress != nil {
		im.opts.Progress(im.report)
	}
	return nil
}

// sortBatch orders the batch by key and drops what is in it twice: the first line counts.
func (im *importer) sortBatch() {
	slices.SortFunc(im.batch, func(a, b importRow) int {
		if c := strings.Compare(a.Key, b.Key); c != 0 {
			return c
		}
		return cmp.Compare(a.line, b.line)
	})
	n := len(im.batch)
	im.batch = slices.CompactFunc(im.batch, func(a, b importRow) bool { return a.Key == b.Key })
	im.report.Already += n - len(im.batch)
}

// checkOwn looks at the addresses in domains of ours: a list may be nested, others are refused.
func (im *importer) checkOwn(ctx context.Context) error {
	return im.keep(func(row *importRow) error {
		if !slices.Contains(im.served, row.Domain) {
			return nil
		}
		a, err := smtp.ParseAddress(row.Address)
		if err != nil {
			return err
		}
		row.Nested, err = im.service.nestable(ctx, im.store.conn, im.by, im.list.ID, a)
		return err
	})
}

// checkTombstones refuses who went. Most lists that are imported into never had a member who did.
func (im *importer) checkTombstones(ctx context.Context) error {
	if !im.tombs || im.opts.Again {
		return nil
	}
	hashes := make([][]byte, len(im.batch))
	for i, row := range im.batch {
		hashes[i] = keyHash(row.Key)
	}
	gone, err := selectTombstones(ctx, im.store.conn, im.list.ID, hashes)
	if err != nil || len(gone) == 0 {
		return err
	}
	return im.keep(func(row *importRow) error {
		if t, ok := gone[string(keyHash(row.Key))]; ok {
			return t.refusal(im.list, row.Member)
		}
		return nil
	})
}

// keep drops the rows that check has an *Error for, and reports them.
func (im *importer) keep(check func(row *importRow) error) error {
	kept := im.batch[:0]
	for _, row := range im.batch {
		if err := check(&row); err != nil {
			if err := im.refuseRow(row, err); err != nil {
				return err
			}
			continue
		}
		kept = append(kept, row)
	}
	im.batch = kept
	return nil
}

func (im *importer) insert(ctx context.Context) (added int, err error) {
	if im.opts.DryRun {
		return im.store.try(ctx, im.list.ID, im.batch)
	}
	return im.store.insert(ctx, im.batch, importTo{
		list: im.list.ID, consent: consentGiven{how: ConsentImport, from: im.by.from()}, again: im.opts.Again && im.tombs,
	}, im.welcome(ctx))
}

// welcome returns what queues the mails to new members in the transaction that adds them, or nil.
func (im *importer) welcome(ctx context.Context) func(q querier, added []Member) error {
	if !im.opts.Welcome {
		return nil
	}
	return func(q querier, added []Member) error {
		for _, m := range added {
			if err := im.service.tellMember(ctx, q, NoticeWelcome, im.list, m); err != nil {
				return err
			}
		}
		return nil
	}
}
