package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"muster/lists"
	"muster/smtp"
)

const (
	demoDomain = "lists.example"
	demoTitle  = "C help"
	demoOwner  = "ann@a.example"
	demoAuthor = "fred@doc.ic.ac.uk"
)

func demoListAddress() smtp.Address { return smtp.Address{Local: "c-help", Domain: demoDomain} }

func demoMembers() []string {
	return []string{
		"Ann Archer <" + demoOwner + ">",
		"Fred Foo <" + demoAuthor + ">",
		"Kim Lee <kim@b.example>",
		"Sam Q. Smith <SQSmith@specific-house.example>",
	}
}

// errNotDemo keeps the demo away from lists that people use: its outgoing mail reaches nobody.
var errNotDemo = errors.New("the database serves other domains than " + demoDomain +
	"; the demo would keep their mail from going out, so give it a data directory of its own")

// demoList finds the demo's list, or makes it with its members.
func demoList(ctx context.Context, service *lists.Service) (l lists.List, found bool, err error) {
	domains, err := service.Domains(ctx, lists.CLI())
	if err != nil {
		return lists.List{}, false, err
	}
	for _, d := range domains {
		if d.Name != demoDomain {
			return lists.List{}, false, errNotDemo
		}
	}
	l, err = service.ListByAddress(ctx, lists.CLI(), demoListAddress())
	if lists.KindOf(err) != lists.NotFound {
		return l, err == nil, err
	}
	l, err = makeDemoList(ctx, service)
	return l, false, err
}

func makeDemoList(ctx context.Context, service *lists.Service) (lists.List, error) {
	owner, err := smtp.ParseAddress(demoOwner)
	if err != nil {
		return lists.List{}, err
	}
	l, err := service.CreateList(ctx, lists.CLI(), lists.NewList{
		Address: demoListAddress(), Name: demoTitle, Owners: []smtp.Address{owner},
		Description: "Questions about C, and answers.",
	})
	if err != nil {
		return lists.List{}, err
	}
	_, err = service.Import(ctx, lists.CLI(), l.ID, strings.NewReader(strings.Join(demoMembers(), "\n")), lists.ImportOptions{})
	return l, err
}

// demoPassword makes the owner a person who may sign in, with a password that stays the same from
// run to run.
func demoPassword(ctx context.Context, service *lists.Service, dataDir string) (string, error) {
	path := filepath.Join(dataDir, "demo-password")
	kept, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(kept)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	password := strings.ToLower(rand.Text()[:12])
	if err := setDemoPassword(ctx, service, password); err != nil {
		return "", err
	}
	return password, os.WriteFile(path, []byte(password+"\n"), 0o600)
}

func setDemoPassword(ctx context.Context, service *lists.Service, password string) error {
	address, err := smtp.ParseAddress(demoOwner)
	if err != nil {
		return err
	}
	_, err = service.CreatePerson(ctx, lists.CLI(), lists.NewPerson{Address: address, Name: "Ann Archer", Admin: true, Password: password})
	if lists.KindOf(err) != lists.Exists {
		return err
	}
	persons, err := service.Persons(ctx, lists.CLI(), 0, pageSize)
	if err != nil {
		return err
	}
	for _, p := range persons {
		if p.Address == demoOwner {
			return service.SetPassword(ctx, lists.CLI(), p.ID, password)
		}
	}
	return lists.Errorf(lists.NotFound, "person.unknown", "%s is gone", demoOwner)
}
