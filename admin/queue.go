package admin

// queuePage is what waits to be sent.
type queuePage struct {
	frame
	Backlog *Backlog // nil where nothing is sent from here
	Control bool     // the switch of all mail is here
}

func (s *Site) showQueue(v *visit) error {
	p := queuePage{frame: v.titled("queue.title"), Control: s.cfg.Control != nil}
	if s.cfg.Queue == nil {
		return v.ok("queue", p)
	}
	backlog, err := s.cfg.Queue.Queue(v.Request().Context())
	if err != nil {
		return err
	}
	p.Backlog = &backlog
	return v.ok("queue", p)
}
