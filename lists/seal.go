package lists

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
	"time"
)

// A seal proves that Muster made an address or a link for one member of one list, without a row to
// look up: a million bounce addresses cost nothing to keep. It is 16 octets:
//
//	0     six bits the site key it was made with, two bits the purpose
//	1-5   the member's id
//	6-7   the day it was made, from 1970; 0 where a seal does not age
//	8-15  the first 64 bits of HMAC-SHA256(key, octets 0-7 and the list's id)
//
// The list is proved but not carried: a seal of one list says nothing on another.
const (
	sealOctets = 16
	sealChars  = 26
	sealBody   = 8
)

// Purposes of a seal.
const (
	sealBounce = 0
	sealLeave  = 1
)

// Seal is what a seal says, once it has been verified.
type Seal struct {
	Member int64
	Day    int // days since 1970, UTC; 0 where it does not age
}

// SealDay is the day of a seal made at t.
func SealDay(t time.Time) int { return int(t.Unix() / (24 * 60 * 60)) }

// Sealer makes and verifies seals. It is pure once made, and safe for concurrent use.
type Sealer struct {
	keys   [64]*sealKey
	newest *sealKey
}

// siteKey is a secret for seals, as stored.
type siteKey struct {
	ID     int16
	Secret []byte
}

// sealKey is a site key with a stock of prepared MACs, each of which hashes the secret only once
// in its life.
type sealKey struct {
	id   byte
	macs sync.Pool
}

type sealMAC struct {
	hash.Hash
	in  [sealBody + 8]byte
	sum [sha256.Size]byte
}

// newSealer makes a Sealer of all site keys, of which the last makes seals.
func newSealer(keys []siteKey) *Sealer {
	s := &Sealer{}
	for _, k := range keys {
		secret := k.Secret
		key := &sealKey{id: byte(k.ID)}
		key.macs.New = func() any { return &sealMAC{Hash: hmac.New(sha256.New, secret)} }
		s.keys[key.id&63] = key
		s.newest = key
	}
	return s
}

// Bounce is the seal of a member's bounce address: LIST-bounces+SEAL@. Day is that of SealDay.
func (s *Sealer) Bounce(list, member int64, day int) string {
	return s.seal(sealBounce, list, Seal{Member: member, Day: day})
}

// Leave is the seal of a member's unsubscribe link. It does not expire: old mail is still mail
// that somebody may want to be the last.
func (s *Sealer) Leave(list, member int64) string {
	return s.seal(sealLeave, list, Seal{Member: member})
}

func (s *Sealer) seal(purpose byte, list int64, of Seal) string {
	var raw sealBytes
	raw[0] = s.newest.id<<2 | purpose
	raw[1] = byte(of.Member >> 32)
	binary.BigEndian.PutUint32(raw[2:], uint32(of.Member))
	binary.BigEndian.PutUint16(raw[6:], uint16(of.Day))
	s.newest.sign(&raw, list)
	var text [sealChars]byte
	code32.Encode(text[:], raw[:])
	return string(text[:])
}

// VerifyBounce opens the seal of a bounce address of a list; false if Muster did not make it for
// this list.
func (s *Sealer) VerifyBounce(list int64, seal string) (Seal, bool) {
	return s.verify(sealBounce, list, seal)
}

// VerifyLeave opens the seal of an unsubscribe link of a list.
func (s *Sealer) VerifyLeave(list int64, seal string) (Seal, bool) {
	return s.verify(sealLeave, list, seal)
}

func (s *Sealer) verify(purpose byte, list int64, seal string) (Seal, bool) {
	raw, ok := decodeSeal(seal)
	if !ok || raw[0]&3 != purpose || s.keys[raw[0]>>2] == nil {
		return Seal{}, false
	}
	ours := raw
	s.keys[raw[0]>>2].sign(&ours, list)
	if !hmac.Equal(ours[:], raw[:]) {
		return Seal{}, false
	}
	return raw.claim(), true
}

// sealBytes is a decoded seal.
type sealBytes [sealOctets]byte

// decodeSeal reads a seal in either case, as its way through mail may have left it. Each seal has
// one spelling: bits beyond the sixteenth octet must be clear.
func decodeSeal(seal string) (sealBytes, bool) {
	var raw sealBytes
	if len(seal) != sealChars {
		return raw, false
	}
	var text [sealChars]byte
	for i := range sealChars {
		text[i] = seal[i]
		if c := seal[i]; c >= 'A' && c <= 'Z' {
			text[i] = c + 'a' - 'A'
		}
	}
	var again [sealChars]byte
	if _, err := code32.Decode(raw[:], text[:]); err != nil {
		return raw, false
	}
	code32.Encode(again[:], raw[:])
	return raw, again == text
}

// claim is what a seal says, be it true or not.
func (raw *sealBytes) claim() Seal {
	return Seal{
		Member: int64(raw[1])<<32 | int64(binary.BigEndian.Uint32(raw[2:])),
		Day:    int(binary.BigEndian.Uint16(raw[6:])),
	}
}

// sign writes the MAC of a seal's body behind it.
func (k *sealKey) sign(raw *sealBytes, list int64) {
	m := k.macs.Get().(*sealMAC)
	m.Reset()
	copy(m.in[:], raw[:sealBody])
	binary.BigEndian.PutUint64(m.in[sealBody:], uint64(list))
	m.Write(m.in[:])
	copy(raw[sealBody:], m.Sum(m.sum[:0]))
	k.macs.Put(m)
}
