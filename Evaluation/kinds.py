#!/usr/bin/env python3
"""Kinds of world, one question each: how organisations send, who passes their mail on, and which stories look alike.

    kinds.py --out DIR --kind one-key --size large --seed 1
    kinds.py --list

The flows are those of worlds.py; each kind adds what it is about to an ordinary domain. What the kind is about carries a note that begins
with `@`, so that it can be scored apart from the rest. A verdict `a|b` in the labels: the reports do not decide between them. README.md has the table.
Every report that a receiver has something for is written: receivers report daily. Same arguments, same bytes. Standard library only.
"""
import argparse
import datetime
import gzip
import io
import json
import os
import random
import shutil
import sys

from worlds import LAST_DAY, Addresses, Domain, Ledger, Mail, Receiver, Relay, Shape, build, digest, receivers, skewed

YOURS = "unaligned|misconfigured"           # yours, and failing: the reports do not say which of the two names for it fits
PASSED = "forwarded|mailing-list"           # passed on, and broken on the way
NAMES = ("bloemisterij", "notariaat", "zorggroep", "drukwerk", "timmerbedrijf", "basisschool", "makelaardij", "koffiebranders", "fysiopraktijk", "museum",
         "roeivereniging", "installateur", "accountants", "kinderopvang", "wijnhandel", "ontwerpbureau")


def organisation_name(seed, k, salt=""):
    h = digest("kinds", seed, k, salt)
    return "%s-%s%d.%s" % (NAMES[h % len(NAMES)], ("west", "laan", "brug", "veld", "plein", "zicht")[h // 97 % 6], k, ("example", "test")[h // 7 % 2])


# -------------------------------------------------------------------------------------------------------------- the field

class Field:
    """One store: domains, receivers, and everybody who passes mail on."""

    def __init__(self, kind, size, seed):
        spec = KINDS[kind]
        self.kind, self.size, self.seed, self.spec = kind, size, seed, spec
        self.name, self.large = "kind/%s/%s" % (kind, size), size == "large"
        self.days = spec.days
        rng = random.Random(digest("field", kind, size, seed))
        self.net = Addresses("%s/%d" % (self.name, seed))
        count = spec.receivers[0 if self.large else 1]
        self.receivers = receivers()[:min(count, 24)] + [Receiver("laat%d.test" % i, "laat%d.test" % i, .5, bis=i % 2 == 0) for i in range(24, count)]
        if spec.habits:
            spec.habits(self)
        self.shapes = [Shape(r) for r in self.receivers]
        weights = [r.weight ** .8 for r in self.receivers]
        self.share = [x / sum(weights) for x in weights]
        self.first = LAST_DAY.toordinal() - self.days + 1
        self.epoch = (self.first - datetime.date(1970, 1, 1).toordinal()) * 86400
        everyone = list(range(count))
        self.everyone = everyone
        pool = self.net.pool
        self.microsoft, self.microsoft_relay = pool(5, 24, 2, 8, "microsoft"), pool(2, 20, 1, 6, "microsoft-relay")
        self.google, self.calendar = pool(3, 24, 2, 16, "google"), pool(2, 20, 1, 10, "google-calendar")
        self.hoster = pool(1, 12, 1, 4, "hoster")
        self.relays = []
        for i in range(36 if self.large else 16):
            narrow = rng.random() < .6
            targets = [rng.choices(everyone, self.share)[0]] if narrow else rng.sample(everyone, min(len(everyone), rng.randint(2, 5)))
            self.relays.append(Relay("%s%d.%s" % (rng.choice(("oudleerlingen", "post", "alias", "club", "buurt")), i, ("example", "test")[i % 2]), "forwarder",
                                     pool(1, rng.choice((1, 1, 2)), 0, 0, "relay", i), targets, rng.choice(("keep", "keep", "keep", "own", "own-no-spf")),
                                     rng.choice((0, 0, .02)), rng.random() < .2, rng.random() < .4, rng.random() < .5))
        self.lists = [Relay("lijst%d.%s" % (i, ("koor.test", "vakbond.example", "wijk.test")[i % 3]), "list", pool(1, rng.choice((1, 2)), 0, 0, "list", i),
                            rng.sample(everyone, min(len(everyone), rng.randint(3, 8))), "own", 1, rng.random() < .7, rng.random() < .4, rng.random() < .7)
                      for i in range(6 if self.large else 3)]
        self.domains = [Org(self, k) for k in range(spec.domains[0 if self.large else 1])]
        for o in self.domains:
            spec.make(o, self, random.Random(digest("make", kind, size, seed, o.k)))

    def slots(self):
        for day in range(self.days):
            for o in self.domains:
                if day >= o.since:
                    for i, r in enumerate(self.receivers):
                        if day >= getattr(r, "since", 0):
                            yield i, o, day


class Org(Domain):
    """A domain without anything: the kinds give it servers, services, and those who pass its mail on."""

    def __init__(self, world, k):
        self.world, self.k = world, k
        rng = self.rng = random.Random(digest("org", world.name, world.seed, k))
        self.turn = k + world.seed if not world.large else k + 2 * world.seed
        self.name = organisation_name(world.seed, k, world.kind)
        self.aspf = self.adkim = "r"
        self.pct, self.since = 100, 0
        self.steps = sorted((rng.uniform(-.4, 1.6), rng.uniform(.2, 2)))
        self.all = rng.choice(("softfail", "softfail", "fail", "neutral"))
        low, high = world.spec.volume[0 if world.large else 1]
        self.volume = rng.uniform(low, high)
        self.key = rng.choice(("s1", "mail", "2026", "dk", "hoofd"))
        self.flows, self.mail, self.subs, self.signs = [], [], [], True
        self.tenant = self.name.rsplit(".", 1)[0].replace("-", "") + ".onmicrosoft.com"
        self.proxy = self.name.replace(".", "-") + ".20230601.gappssmtp.com"

    def sig(self, result="pass", key=None):
        return (self.name, key or self.key, result)

    # -- what it sends itself

    def sends(self, rate, ips, sigs, spf="pass", env=None, verdict="authorized", note="", passed_on=True, factor=None, targets=None, broken=.004,
              temporary=.002, power=1.4, service=False, hf=None):
        """A steady stream. sigs: signatures as they leave · env: return path (default: the domain)."""
        def make(rng, day):
            now, result = sigs(day) if callable(sigs) else sigs, spf(day) if callable(spf) else spf
            x = rng.random()
            if x < broken:
                now = tuple((d, s, "fail") for d, s, _ in now)
            elif x < broken + temporary:
                result = "temperror"
            said, why = verdict(day) if callable(verdict) else verdict, note
            elsewhere = self.all if env is None or env.endswith(self.name) else "softfail"
            return Mail(skewed(rng, ips, power), hf or self.name, env or self.name, now, result, elsewhere, said, why, service)
        self.flow(rate, make, targets, factor)
        if passed_on:
            self.mail.append((rate, make))
        return make

    def server(self, share=.5, sigs=None, note=""):
        net = self.world.net.net4("own", self.k)
        first = self.rng.randrange(10, 200)
        self.home = [net + str(first + i) for i in range(2)]
        self.sends(self.volume * share, self.home, sigs or (self.sig(),), note=note)

    def beside(self, n=1):
        """Addresses in the network of its servers."""
        return [self.home[0].rsplit(".", 1)[0] + "." + str(230 + i) for i in range(n)]

    def elsewhere(self, n=1, *key):
        net = self.world.net.net4("far", self.k, *key)
        return [net + str(40 + i) for i in range(n)]

    def service(self, share, name, key, form="dkim", env=None, note="", ips=None, factor=None, theirs="sv", targets=None):
        """form: dkim · both (SPF aligned as well) · spf (SPF aligned, only the service's signature) · alone (not set up) · bare (not set up, unsigned)"""
        ips = ips or self.world.net.pool(1, 10, 0, 0, "service", name, 0 if self.world.large else self.k)
        own, other = self.sig(key=key), (name, theirs, "pass")
        env = env or ("rp." + self.name if form in ("both", "spf") else "bounce." + name)
        sigs = {"dkim": (own, other), "both": (own, other), "spf": (other,), "alone": (other,), "bare": ()}[form]
        verdict = {"dkim": "dkim-only", "both": "authorized", "spf": "authorized", "alone": "unaligned", "bare": "unaligned"}[form]
        return self.sends(self.volume * share, ips, sigs, env=env, verdict=verdict, note=note, passed_on=verdict != "unaligned", factor=factor, service=True,
                          targets=targets)

    # -- who passes it on

    def pass_on(self, relay, mail, rng, day):
        found = super().pass_on(relay, mail, rng, day)
        if not mail.sigs:                   # nothing is left that says whose it was: it looks forged, or like a service's own
            found.verdict = "%s|%s" % (found.verdict, "unaligned" if relay.rewrites == "own" else "spoofed")
        return found

    def through(self, relay, note=None, makers=None):
        mail = makers or self.mail
        rates, sources = [r for r, _ in mail], [m for _, m in mail]

        def make(rng, day):
            for _ in range(9):
                m = rng.choices(sources, rates)[0](rng, day)
                if m.spf != "temperror" and not any(r != "pass" for _, _, r in m.sigs):
                    break
            found = self.pass_on(relay, m, rng, day)
            if note:
                found.note = note
            return found
        return make

    def forwards(self, share=.05, note=None, makers=None, count=10):
        usual = self.world.relays
        mine = self.rng.sample(usual, min(count, len(usual)))
        weights = [1 / (i + 1.5) for i in range(len(mine))]
        for r, x in zip(mine, weights):
            self.flow(self.volume * share * x / sum(weights), self.through(r, note, makers), r.targets)

    def thin(self, share, note, addresses, makers=None, breaks=.0):
        """Personal forwards: very many addresses, each to one receiver, a message or two each; the envelope is kept. What carries no good signature
        then looks as if it were forged: both answers are right."""
        w = self.world
        for i in w.everyone:
            ips = [w.net.residential(self.rng) for _ in range(max(2, round(addresses * w.share[i])))]
            relay = Relay("-", "forwarder", ips, [i], "keep", breaks, False, i % 3 == 0, i % 2 == 0)

            def make(rng, day, relay=relay, inner=self.through(relay, note, makers)):
                found = inner(rng, day)
                found.ip = rng.choice(relay.ips)
                if not any(r == "pass" for _, _, r in found.sigs):
                    found.verdict, found.note = ("forwarded|spoofed|mailing-list", "thin+broken") if found.sigs else ("forwarded|spoofed", "thin+unsigned")
                return found
            self.flow(self.volume * share * w.share[i], make, [i])

    def posts(self, share=.02):
        for r in self.world.lists:
            self.flow(self.volume * share / len(self.world.lists) * 2, self.through(r), r.targets, lambda day, p=len(r.name): 1.0 if (day + p) % 2 == 0 else 0.0)

    def strangers(self, share=.05):
        w, names = self.world, ("default", "google", "k1", "selector1", self.key)
        junk = ["reclame%d.%s" % (digest("junk", w.name, w.seed, i) % 900, ("test", "example")[i % 2]) for i in range(6)]

        def home(rng, day):
            x, ip = rng.random(), w.net.residential(rng)
            if x < .75:
                return Mail(ip, self.name, self.name, (), self.all, "", "spoofed", "home")
            if x < .85:
                return Mail(ip, self.name, self.name, ((self.name, rng.choice(names), "fail"),), self.all, "", "spoofed", "made-up-signature")
            return Mail(ip, self.name, rng.choice(junk), (), rng.choice(("none", "softfail", "fail")), "", "spoofed", "foreign-envelope")
        self.flow(max(.4, self.volume * share), home)

    def ordinary(self, server=True, share=.5):
        if server:
            self.server(share)
        self.forwards()
        self.posts()
        self.strangers()


# ------------------------------------------------------------------------------------------------------- the kinds of issue

def one_key(o, w, rng):
    """A service signs with the domain's own selector and has a return path of its own."""
    if o.turn % 3 == 1:                     # Google Workspace: invitations have a return path of the calendar, and the domain's key
        o.key = "google"
        o.sends(o.volume * .5, w.google, (o.sig(),), note="workspace")
        o.sends(o.volume * .06, w.calendar, (o.sig(), ("google.com", "20230601", "pass")), env="calendar-server.bounces.google.com", verdict="dkim-only",
                note="@calendar", service=True)
    else:
        o.server(.4)
        name = "postfabriek%d.example" % (o.k % 2)
        own_path = o.turn % 3 == 2          # a part of its mail has a return path in the domain
        days = rng.choice((None, lambda day: 3.0 if day % 7 == 2 else .6))
        o.service(rng.uniform(.3, .6), name, o.key, note="@one-key", factor=days, ips=w.net.pool(rng.choice((1, 2)), rng.choice((3, 8)), 0, 0, "fabriek", o.k))
        if own_path:
            o.service(.15, name, o.key, "both", note="@one-key-own-path")
    o.ordinary(server=False)


def thin_forwards(o, w, rng):
    """Hundreds of addresses with a message or two each, while the domain's own mail never passes SPF."""
    if o.turn % 2 == 0:
        o.home = o.elsewhere(2, "home")
        o.sends(o.volume * .4, o.home, (o.sig(),), spf=o.all, verdict="misconfigured", note="no-spf-at-all")
        o.thin(.35, "@thin", o.volume * 5)
    else:                                   # the receivers of this store get its mail by way of others alone
        def away(r, day):
            return Mail("", o.name, o.name, (o.sig(),), "pass", o.all, "authorized")
        o.thin(.5, "@thin", o.volume * 5, makers=[(1, away)])
        o.service(.2, "campagnehuis.example", "ch")
    o.posts()
    o.strangers()


def service_forwarded(o, w, rng):
    """A service with a return path in the domain and a signature of its own, forwarded: only the service's signature survives."""
    o.server(.4)
    make = o.service(.3, "factuurhuis%d.example" % (o.k % 2), "fh", "spf")
    o.forwards(.06)
    o.forwards(.05, "@service-signed", [(1, make)], count=8)
    o.posts()
    o.strangers()


def breaks_and_keeps(o, w, rng):
    """A relay that breaks every signature and keeps the envelope, for all domains of the store, on many days."""
    o.ordinary()
    for i in range(3):
        r = Relay("zeef%d.test" % i, "gateway", w.net.pool(1, 2, 0, 0, "zeef", i) if o.k == 0 else w.sieves[i], [i * 2 % len(w.everyone)], "keep", 1, False, False, i == 1)
        if o.k == 0:
            w.sieves = getattr(w, "sieves", []) + [r.ips]
        make = o.through(r)

        def passed(rng, day, make=make):
            found = make(rng, day)
            found.verdict, found.note = PASSED, "@breaks-keeps"
            return found
        o.flow(o.volume * .03, passed, r.targets)


def temporary(o, w, rng):
    """A server that is missing from SPF, whose SPF now and then ends in a temporary error."""
    o.ordinary()
    half = w.days // 2 if o.turn % 2 else 0
    o.sends(o.volume * .15, o.elsewhere(1), (o.sig(),), spf=lambda day: "pass" if day < half else o.all,
            verdict=lambda day: "authorized" if day < half else "misconfigured", note="@temperror", passed_on=False, temporary=rng.uniform(.1, .35))


def strangers_at_services(o, w, rng):
    """Accounts of strangers at services and mailbox providers, whose names also pass mail on."""
    o.ordinary()
    srs = Relay("gmail.com", "provider", w.google, w.everyone, "own", .01, False, True, True)
    o.flow(o.volume * .03, o.through(srs), w.everyone)
    o.service(.1, "campagnehuis.example", "ch")
    bulk = w.net.pool(2, 30, 0, 0, "bulk")
    places = (("gmail.com", w.google, ("gmail.com", "20230601", "pass")), ("u77.wl.sendgrid.net", bulk, ("sendgrid.net", "smtpapi", "pass")),
              ("bounce.campagnehuis.example", w.net.pool(1, 10, 0, 0, "service", "campagnehuis.example", 0 if w.large else o.k),
               ("campagnehuis.example", "sv", "pass")), ("outlook.com", w.microsoft, ("outlook.com", "selector1", "pass")))

    def make(rng, day):
        env, ips, sig = places[(o.turn + day // 9) % 4]
        return Mail(rng.choice(ips), o.name, env, (sig,) if rng.random() < .8 else (), "pass", "", "spoofed|unaligned", "@account")
    o.flow(max(.5, o.volume * .02), make)


def unsigned_missing(o, w, rng):
    """An own server that neither signs nor is in SPF, met by everybody."""
    o.signs = o.turn % 3 != 2
    if o.signs:
        o.ordinary()
    else:
        o.home = o.elsewhere(2, "home")
        o.sends(o.volume * .5, o.home, (), note="dkim-missing")
        o.posts(.01)
        o.strangers()
    place = o.beside(1) if o.turn % 2 else o.elsewhere(rng.choice((1, 2)))
    o.sends(o.volume * rng.uniform(.12, .3), place, (), spf=o.all, verdict="misconfigured", note="@unsigned-missing", passed_on=False)


def loud_stranger(o, w, rng):
    """The opposite: one rented machine that forges the name, hundreds of messages to everybody, for some days."""
    o.ordinary()
    for i in range(3):
        start, length = rng.randrange(3, w.days - 10), rng.choice((1, 2, 4, 9))
        sigs = () if i != 1 else ((o.name, rng.choice(("default", o.key, "x")), "fail"),)
        o.sends(o.volume * rng.uniform(.3, 1.2), o.elsewhere(1, "loud", i), sigs, spf=o.all, verdict="spoofed", note="@loud", passed_on=False, broken=0,
                factor=lambda day, a=start, n=length: 1.0 if a <= day < a + n else 0.0)


def broken_foreign(o, w, rng):
    """A list or a rewriting relay met once: own signature broken, return path of a name without SPF."""
    o.ordinary()
    for i in range(6):
        start, ip, name = rng.randrange(w.days - 2), o.elsewhere(1, "once", i), "bericht%d.%s" % (i + 10 * o.k, ("example", "test")[i % 2])
        target = rng.choice(w.everyone)
        o.sends(1.6, ip, (o.sig("fail"),), spf="none", env=name, verdict=PASSED, note="@once", passed_on=False, broken=0, temporary=0, targets=[target],
                factor=lambda day, a=start: 1.0 if a <= day < a + 2 else 0.0)


def provider_signed(o, w, rng):
    """The provider's own signature: beside the domain's, alone, and as the only one that survives."""
    if o.turn % 2 == 0:
        pool, sig, helo, key = w.microsoft, (o.tenant, "selector1-" + o.name.replace(".", "-"), "pass"), "mail-am7eur03on2099.outbound.protection.outlook.com", "selector1"
    else:
        pool, sig, helo, key = w.google, (o.proxy, "20230601", "pass"), "mail-ed1-f%d.google.com" % (40 + o.k), "google"
    o.key = key
    state = o.turn // 2 % 3                 # no key of its own · a key of its own · a key that DNS does not have right
    own = () if state == 0 else (o.sig("pass" if state == 1 else "fail"),)
    main = o.sends(o.volume * .5, pool, own + (sig,), note=("@no-own-key", "@both", "@own-key-wrong")[state])
    alone = own if state == 1 else ()
    verdict = "dkim-only" if state == 1 else YOURS
    o.sends(o.volume * .04, pool, alone + (sig,), env=helo, verdict=verdict, note="@automatic-reply", passed_on=False)
    if o.turn % 2 == 1:
        o.sends(o.volume * .04, w.calendar, alone + (sig, ("google.com", "20230601", "pass")), env="calendar-server.bounces.google.com", verdict=verdict,
                note="@calendar", passed_on=False)

    def mail(rng, day):
        m = main(rng, day)
        return Mail(m.ip, m.hf, m.env, own + (sig,), "pass", o.all, "authorized")
    usual = o.rng.sample(w.relays, 10)
    for r in usual:
        def passed(rng, day, r=r):
            m = mail(rng, day)
            found = o.pass_on(r, m, rng, day)
            found.note = "@passed-on"
            return found
        o.flow(o.volume * .08 / len(usual), passed, r.targets)
    o.strangers()


# ---------------------------------------------------------------------------------------------------- organisations as they are

def office(o, w, rng):
    """What a small organisation has beside its mailboxes: newsletter, invoices, CRM, tickets, a web site, leftovers, personal forwards."""
    v, turn = o.volume, o.turn
    known = (("mcdlv.net", "k2", "mail%d.suw11.mcdlv.net" % (100 + o.k)), ("laposta.org", "laposta", None), ("nieuwsgolf.example", "ng", None))[turn % 3]
    o.service(.2, known[0], known[1], ("dkim", "dkim", "alone")[turn // 3 % 3], env=known[2], note="newsletter",
              factor=lambda day, p=turn % 7: 5.0 if (day + p) % 7 == 3 else .1)
    bills = (("moneybird.com", "moneybird1"), ("boekhoudlijn.example", "bl"), ("exactonline.nl", "ex"))[(turn + 1) % 3]
    o.service(.05, bills[0], bills[1], ("alone", "dkim", "bare", "both")[turn % 4], note="invoices", factor=lambda day, p=turn % 28: 5.0 if (day + p) % 28 < 4 else .2)
    if turn % 3 != 1:
        o.service(.04, "hubspotemail.net", "hs1-%d" % (7700 + o.k), "dkim", env="bf%02d.eu1.hubspotemail.net" % (1 + o.k % 20), note="crm")
    if turn % 4 != 2:
        o.service(.05, "zendesk.com", "zendesk1", ("dkim", "alone")[turn // 2 % 2], env="pod%d.zendesk.com" % (20 + o.k % 9), note="tickets")
    host = "srv%d.webruimte.example" % (10 + o.k)
    o.sends(v * .03, w.net.pool(1, 1, 0, 0, "web", o.k), (), spf=("pass", "none")[turn % 2], env=host, verdict=("unaligned", YOURS)[turn % 2], note="web-form",
            passed_on=False)
    if turn % 2:                            # a scanner, a till, an old program: never in SPF, never signed
        o.sends(max(.35, v * .012), o.elsewhere(1, "office"), (), spf=o.all, verdict="misconfigured", note="@leftover", passed_on=False,
                targets=rng.sample(w.everyone, 2))
    if turn % 3 == 0:
        o.sends(v * .05, o.elsewhere(1, "erp"), (), spf=o.all, verdict="misconfigured", note="@leftover", passed_on=False)
    o.forwards(.04)
    o.thin(.08, "@personal-forward", v * 4, breaks=.05)
    tenant = ["%s.%s" % (n, ("example", "onmicrosoft.com")[i % 2]) for i, n in enumerate(("bouwmaten", "kledingzaak", "adviseurs", "gymzaal", "buurman", "stadsdeel"))]
    make = o.through(Relay("-", "provider", w.microsoft, w.everyone, "own", .02, False, True, True), "@tenant-forward")

    def rewritten(rng, day):                # Microsoft 365 rewrites the return path to a domain of the tenant that forwards
        m = make(rng, day)
        m.env = rng.choice(tenant)
        return m
    o.flow(v * .03, rewritten)
    o.flow(v * .01, o.through(Relay("-", "provider", w.microsoft_relay, w.everyone, "keep", .02, False, True, True), "@relay-pool"))
    o.flow(v * .02, o.through(Relay("gmail.com", "provider", w.google, w.everyone, "own", .01, False, True, True), "@gmail-forward"))
    o.flow(v * .015, o.through(Relay("googlegroups.com", "list", w.google, w.everyone, "own", 1, True, False, False), "groups"))
    gate = Relay("poort%d.test" % (o.k % 3), "gateway", w.net.pool(1, 3, 0, 0, "poort", o.k), [1], "keep", (.05, .9)[turn % 2], False, False, True)
    o.flow(v * .03, o.through(gate, "gateway"), [1])
    o.posts()
    o.strangers(.06)


def small_microsoft(o, w, rng):
    """Mailboxes at Microsoft 365."""
    o.key = "selector1"
    sig = (o.tenant, "selector1-" + o.name.replace(".", "-"), "pass")
    own = (o.sig(),) if o.turn % 4 != 3 else ()
    o.sends(o.volume * .5, w.microsoft, own + (sig,), note="mailbox")
    o.sends(o.volume * .02, w.microsoft, own + (sig,), env="mail-db8eur05on2077.outbound.protection.outlook.com", verdict="dkim-only" if own else YOURS,
            note="@automatic-reply", passed_on=False)
    office(o, w, rng)


def small_google(o, w, rng):
    """Mailboxes at Google Workspace."""
    o.key = "google"
    own = (o.sig(),) if o.turn % 4 != 3 else ((o.proxy, "20230601", "pass"),)
    o.sends(o.volume * .5, w.google, own, note="mailbox")
    o.sends(o.volume * .04, w.calendar, own + (("google.com", "20230601", "pass"),), env="calendar-server.bounces.google.com",
            verdict="dkim-only" if o.turn % 4 != 3 else YOURS, note="@calendar", passed_on=False)
    office(o, w, rng)


def small_hoster(o, w, rng):
    """Mailboxes at a regional hoster, whose outgoing servers all customers share."""
    o.key = "x"
    o.sends(o.volume * .5, w.hoster, (o.sig(),) if o.turn % 3 else (), note="mailbox")
    office(o, w, rng)


# -------------------------------------------------------------------------------------------------------- shapes of stores

def one_reporter(o, w, rng):
    """A store with a single reporter."""
    o.ordinary()
    o.service(.15, "campagnehuis.example", "ch", note="@service")
    o.service(.08, "planner.example", "pl", "alone", note="@vendor")
    o.sends(o.volume * .12, o.elsewhere(1), (o.sig(),), spf=o.all, verdict="misconfigured", note="@no-spf", passed_on=False)


def no_own_server(o, w, rng):
    """Everything is sent by services."""
    o.service(.3, "kantoorpost.example", "kp", "both", note="@service-aligned")
    o.service(.3, "campagnehuis.example", "ch", note="@service")
    if o.turn % 2:
        o.service(.15, "factuurhuis0.example", "fh", "spf", note="@service-spf")
    o.service(.1, "planner.example", "pl", "alone", note="@vendor")
    o.forwards(.08)
    o.posts()
    o.strangers()


def parked(o, w, rng):
    """A domain that never sends: everything is forged."""
    o.all, o.signs = "fail", False
    o.strangers(.6)
    for i in range(2):
        start = rng.randrange(w.days - 20)
        o.sends(o.volume * .3, o.elsewhere(rng.choice((1, 3)), "spam", i), (), spf="fail", verdict="spoofed", note="@spam-run", passed_on=False,
                factor=lambda day, a=start, n=(3, 14)[i]: 1.0 if a <= day < a + n else 0.0)
    junk = "winactie%d.test" % o.k
    o.sends(o.volume * .2, o.elsewhere(2, "as-itself"), ((junk, "a", "pass"),), env=junk, verdict="spoofed|unaligned", note="@impostor", passed_on=False,
            factor=lambda day: 1.0 if day % 9 < 2 else 0.0)


def shared_hosting(o, w, rng):
    """250 domains on the addresses of one hoster: little mail each, web forms, and some that never put the hoster into SPF."""
    turn = o.turn
    o.key = "x"
    sig = (o.sig(),) if turn % 4 else ()
    if turn % 10 == 7:
        o.sends(o.volume * .6, w.hoster, (o.sig(),), spf=o.all, verdict="misconfigured", note="@hoster-not-in-spf")
    else:
        o.sends(o.volume * .6, w.hoster, sig, note="@mailbox")
    if turn % 3 == 0:
        o.sends(o.volume * .2, w.hoster[:4], (), env="web%d.regiohost.example" % (turn % 5), verdict="unaligned", note="@web-form", passed_on=False)
    if turn % 5 == 1:
        o.service(.2, "campagnehuis.example", "ch", note="newsletter")
    o.forwards(.05, count=3)
    o.flow(o.volume * .05, o.through(Relay("gmail.com", "provider", w.google, w.everyone, "own", .01, False, True, True), "gmail-forward"))
    o.strangers(.1)


def year(o, w, rng):
    """A year: another service, another key, and in the end the mail of a second domain through the servers of the first."""
    if o.k % 2 == 0:
        roll, change = 200, 145
        o.server(.4, lambda day: (o.sig(key=o.key if day < roll else o.key + "b"),), "@roll")
        o.service(.25, "campagnehuis.example", "ch", note="@old-service", factor=lambda day: 1.0 if day < change + 12 else 0.0)
        o.service(.25, "brievenbureau.example", "bb", note="@new-service", factor=lambda day: 1.0 if day >= change else 0.0)
        o.service(.05, "planner.example", "pl", "alone", note="vendor")
        w.buyer = o
    else:                                   # bought by the one before it
        bought, mended = 240, 285
        o.home = o.elsewhere(1, "home")
        o.sends(o.volume * .4, o.home, (o.sig(),), factor=lambda day: 1.0 if day < bought + 20 else 0.0)
        b = w.buyer
        theirs = (b.name, b.key + "b", "pass")
        as_itself = o.turn % 4 < 2          # its envelope is the buyer's, or stays its own
        o.sends(o.volume * .4, b.home, (theirs,), spf="pass" if as_itself else o.all, env=b.name if as_itself else None, verdict=YOURS, note="@bought", passed_on=False,
                factor=lambda day: 1.0 if bought <= day < mended else 0.0)
        o.sends(o.volume * .4, b.home, (o.sig(key=b.key + "b"),), note="@bought-mended", factor=lambda day: 1.0 if day >= mended else 0.0)
    o.forwards()
    o.posts()
    o.strangers()


def aggregating(o, w, rng):
    """Receivers that put what ended alike into one row with all its results, and receivers that hide addresses."""
    o.ordinary()
    o.service(.15, "campagnehuis.example", "ch", note="@service")
    o.service(.06, "planner.example", "pl", "alone", note="@vendor")
    o.sends(o.volume * .1, o.elsewhere(1), (o.sig(),), spf=o.all, verdict="misconfigured", note="@no-spf", passed_on=False)


def grouping_receivers(w):
    for i, r in enumerate(w.receivers):
        r.groups, r.masks, r.one_signature, r.merges = i % 3 == 1, i % 4 == 2, False, False


def first_weeks(o, w, rng):
    """A domain's first two weeks; in the large store others have been there for longer, and some receivers are as new."""
    if not w.large or o.k % 3 == 2:
        o.since = w.days - 14
    mark = "@new-" if o.since else ""
    o.server(.4)
    o.forwards(.05, mark and mark + "forward")
    o.posts()
    o.strangers()
    o.service(.15, "campagnehuis.example", "ch", note=mark + "service")
    o.service(.05, "planner.example", "pl", "alone", note=mark + "vendor")
    o.sends(o.volume * .1, o.elsewhere(1), (o.sig(),), spf=o.all, verdict="misconfigured", note=mark + "no-spf", passed_on=False)


def late_receivers(w):
    for i, r in enumerate(w.receivers):
        if i % 3 == 2:
            r.since = w.days - 14


# ---------------------------------------------------------------------------------------------- what looks like the kinds above

def big_forwarder(o, w, rng):
    """An alumni office or a group company passes a good part of the domain's mail to one or two receivers, with its own return path."""
    o.ordinary()
    for i in range(2):
        targets = [[0], [1, 2]][i]
        keeps = (o.turn + i) % 3 == 0
        r = Relay("alumni%d.universiteit.example" % i, "forwarder", w.net.pool(1, (1, 3)[i], 0, 0, "alumni", i, o.k), targets, "keep" if keeps else "own", 0, False, i == 1, i == 0)
        o.flow(o.volume * rng.uniform(.08, .2), o.through(r, "@big-forwarder"), targets)


def server_farm(o, w, rng):
    """Two dozen own addresses in two networks, none of them in SPF, a little mail from each."""
    o.ordinary()
    ips = o.elsewhere(12, "a") + o.elsewhere(12, "b")
    o.sends(o.volume * .3, ips, (o.sig(),), spf=o.all, verdict="misconfigured", note="@farm", passed_on=False, power=1.0)


class Kind:
    def __init__(self, make, days=45, domains=(3, 1), receivers=(14, 6), volume=((60, 200), (9, 20)), habits=None, sizes=("large", "small")):
        self.make, self.days, self.domains, self.receivers, self.volume, self.habits, self.sizes = make, days, domains, receivers, volume, habits, sizes


KINDS = {
    "one-key": Kind(one_key),
    "thin-forwards": Kind(thin_forwards),
    "service-forwarded": Kind(service_forwarded),
    "breaks-and-keeps": Kind(breaks_and_keeps),
    "temporary-error": Kind(temporary),
    "strangers-at-services": Kind(strangers_at_services),
    "unsigned-missing": Kind(unsigned_missing, receivers=(26, 14)),
    "broken-foreign": Kind(broken_foreign),
    "provider-signed": Kind(provider_signed, domains=(6, 1)),
    "small-microsoft": Kind(small_microsoft, domains=(4, 1), volume=((30, 80), (8, 20)), days=60),
    "small-google": Kind(small_google, domains=(4, 1), volume=((30, 80), (8, 20)), days=60),
    "small-hoster": Kind(small_hoster, domains=(4, 1), volume=((30, 80), (8, 20)), days=60),
    "one-reporter": Kind(one_reporter, receivers=(1, 1), volume=((30, 80), (9, 20)), days=60),
    "no-own-server": Kind(no_own_server),
    "parked": Kind(parked, domains=(5, 1), volume=((6, 30), (3, 9))),
    "shared-hosting": Kind(shared_hosting, domains=(250, 1), receivers=(8, 8), volume=((.3, .9), (3, 6)), days=30, sizes=("large",)),
    "year": Kind(year, days=365, domains=(2, 2), receivers=(8, 4), volume=((14, 30), (4, 8))),
    "aggregating": Kind(aggregating, receivers=(12, 6), habits=grouping_receivers),
    "first-weeks": Kind(first_weeks, habits=late_receivers),
    "big-forwarder": Kind(big_forwarder),
    "server-farm": Kind(server_farm),
    "loud-stranger": Kind(loud_stranger),
}


def generate(out, kind, size, seed):
    w = Field(kind, size, seed)
    if os.path.exists(out):
        shutil.rmtree(out)
    os.makedirs(os.path.join(out, "reports"))
    ledger, written = Ledger(), 0
    for index, domain, day in w.slots():
        made = build(w, index, domain, day, ledger)
        if made is None:
            continue
        path, text = made
        blob = io.BytesIO()
        with gzip.GzipFile("", "wb", 4, blob, mtime=0) as packed:
            packed.write(text.encode())
        with open(os.path.join(out, "reports", path), "wb") as f:
            f.write(blob.getvalue())
        written += 1
    with open(os.path.join(out, "labels.tsv"), "w", encoding="utf-8") as f:
        f.write("domain\tsource\tverdict\trecords\tmessages\tnote\n")
        for (d, source, verdict), (records, messages, notes) in sorted(ledger.labels.items()):
            f.write("%s\t%s\t%s\t%d\t%d\t%s\n" % (d, source, verdict, records, messages, ";".join("%s=%d" % kv for kv in sorted(notes.items()))))
    totals = dict(world=w.name, seed=seed, first_day=str(datetime.date.fromordinal(w.first)), last_day=str(LAST_DAY), reports=written,
                  records=sum(d["records"] for d in ledger.domains.values()), messages=sum(d["messages"] for d in ledger.domains.values()))
    with open(os.path.join(out, "totals.json"), "w", encoding="utf-8") as f:
        json.dump(totals, f, indent=1)
        f.write("\n")
    return totals


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--list", action="store_true")
    p.add_argument("--out", metavar="DIR", help="replaced if it holds an earlier world")
    p.add_argument("--kind", choices=sorted(KINDS))
    p.add_argument("--size", choices=("large", "small"), default="large")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args(argv)
    if a.list:
        for name, kind in KINDS.items():
            print("%-22s %s" % (name, " ".join((kind.make.__doc__ or "").split())))
        return 0
    if not a.out or not a.kind:
        p.error("--out and --kind are needed")
    if os.path.exists(a.out) and os.listdir(a.out) and not os.path.exists(os.path.join(a.out, "totals.json")):
        p.error("%s exists and holds no world" % a.out)
    t = generate(a.out, a.kind, a.size, a.seed)
    print("%d reports, %d records, %d messages" % (t["reports"], t["records"], t["messages"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
