package admin

// queuePage is what waits to be sent.
type queuePage struct {
	frame
	Backlog *Backlog // nil where nothing is sent from here
}

func (s *Site) showQueue(v *visit) error {
	p := queuePage{frame: v.titled("queue.title")}
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
