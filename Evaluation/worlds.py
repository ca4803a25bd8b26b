#!/usr/bin/env python3
"""Makes worlds of mail, lets receivers report on them, and says what every source was meant to be.

    worlds.py --out DIR --seed 1 --world varied

writes
    DIR/reports/*.xml.gz    aggregate reports, RFC 7489 and RFC 9990, plain gzip files
    DIR/labels.tsv          domain, source, verdict, records, messages, note
    DIR/totals.json         what a correct collector must count, and the period

A world is simulated as flows of mail: each domain has streams (its servers, its services), and streams are passed on by
forwarders, gateways and lists. A report is what one receiver saw of one domain on one day, so a source that sends everywhere is
met everywhere, a forwarder only where it forwards to. Same arguments, same bytes. Standard library only. See README.md.
"""
import argparse
import datetime
import gzip
import hashlib
import io
import json
import math
import os
import random
import shutil
import sys
import zlib
from collections import Counter, defaultdict

LAST_DAY = datetime.date(2026, 5, 31)
WORLDS = {  # reports, days, domains
    "varied": (3000, 180, 20),
    "small": (600, 300, 1),
    "tiny": (300, 210, 1),
}


def digest(*parts):
    """64 bits that depend on every part, the same in every version of Python."""
    return int.from_bytes(hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest(), "big")


def poisson(rng, mean):
    if mean <= 0:
        return 0
    if mean > 40:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, n = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        n += 1
    return n


def skewed(rng, items, power=2.0):
    """One of the items, the first ones more often."""
    return items[int(len(items) * rng.random() ** power)]


# ------------------------------------------------------------------------------------------------------------ addresses

class Addresses:
    """Hands out networks that nobody else in this world has."""

    RESERVED = {0, 10, 100, 127, 169, 172, 192, 198, 203}

    def __init__(self, salt):
        self.salt, self.taken = salt, set()

    def net4(self, *key):
        attempt = 0
        while True:
            h = digest(self.salt, "net4", attempt, *key)
            net = (1 + h % 223, h >> 20 & 255, h >> 36 & 255)
            attempt += 1
            if net[0] not in self.RESERVED and net not in self.taken:
                self.taken.add(net)
                return "%d.%d.%d." % net

    def net6(self, *key):
        h = digest(self.salt, "net6", *key)
        return "2a%02x:%x:%x:" % (h % 16, 1 + (h >> 8) % 0xFFFE, 1 + (h >> 28) % 0xFFFE)

    def pool(self, nets4, hosts4, nets6, hosts6, *key):
        """Addresses of a big sender: hosts4 in each of nets4 /24s, hosts6 in each of nets6 /48s, mixed."""
        found = []
        for i in range(nets4):
            net, first = self.net4("pool", i, *key), digest(self.salt, "first", i, *key) % 180 + 4
            found += [net + str(first + j) for j in range(hosts4)]
        for i in range(nets6):
            net = self.net6("pool", i, *key)
            found += ["%s%x::%x" % (net, 1 + j % 3, 16 + j) for j in range(hosts6)]
        found.sort(key=lambda ip: digest(self.salt, ip))
        return found

    def residential(self, rng):
        if rng.random() < .06:
            return "%s%x:%x:%x:%x:%x" % (self.net6("home", rng.random()), rng.randrange(1, 0xFFFF), rng.randrange(1, 0xFFFF),
                                         rng.randrange(1, 0xFFFF), rng.randrange(1, 0xFFFF), rng.randrange(1, 0xFFFF))
        while True:
            a = rng.randrange(1, 224)
            if a not in self.RESERVED:
                return "%d.%d.%d.%d" % (a, rng.randrange(256), rng.randrange(256), rng.randrange(1, 255))


# ------------------------------------------------------------------------------------------------------------ receivers

class Receiver:
    """An organisation that receives mail and reports, with its habits."""

    def __init__(self, org, host, weight, bis=False, selector=True, sender=False, recipient=False, words=None, merges=False,
                 one_signature=False, scope=False, start=0, head='<?xml version="1.0" encoding="utf-8"?>', root="<feedback>",
                 pad="  ", human=False, contact=None, drop_empty_spf=False, groups=False, masks=False):
        self.org, self.host, self.weight, self.bis = org, host, weight, bis
        self.selector, self.sender, self.recipient = selector or bis, sender, recipient
        self.words, self.merges, self.one_signature, self.scope = words, merges, one_signature, scope
        self.start, self.head, self.root, self.pad = start, head, root, pad
        self.human, self.contact, self.drop_empty_spf = human, contact, drop_empty_spf
        self.groups, self.masks = groups, masks
        if bis:
            self.root = '<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">'


def receivers():
    """words: None never says why; `plain` says forwarded and mailing_list where it knows; `arc` trusts chains; `eager` guesses a lot,
    on passing rows as well; `quiet` only local_policy without a comment."""
    old = '<feedback xmlns="http://dmarc.org/dmarc-xml/0.1">'
    return [
        Receiver("postplein.test", "postplein.test", 24, words="arc", contact="https://postplein.test/dmarc"),
        Receiver("Kantoormail Cloud", "kantoormail.test", 17, sender=True, recipient=True, scope=True, words="quiet",
                 head='<?xml version="1.0"?>'),
        Receiver("Zomerpost B.V.", "zomerpost.test", 10, bis=True, scope=True, words="plain"),
        Receiver("lagune-mail.test", "lagune-mail.test", 8, selector=False, words="plain", root=old),
        Receiver("Bergen &amp; Dal Mail", "bergendal.test", 6, sender=True, words="eager", start=-7200, pad="\t"),
        Receiver("briefdienst.test", "briefdienst.test", 5, bis=True, words="arc", sender=True),
        Receiver("Tuinstad Internet", "tuinstad.test", 4, merges=True, one_signature=True, pad=""),
        Receiver("HARBOUR-RELAY", "harbour-relay.test", 4, sender=True, human=True, words="plain"),
        Receiver("oosterpost.test", "oosterpost.test", 3, selector=False, merges=True, pad=" "),
        Receiver("Filterwacht", "filterwacht.test", 3, sender=True, recipient=True, scope=True, words=None, drop_empty_spf=True),
        Receiver("vallei.test", "vallei.test", 2, bis=True),
        Receiver("Universiteit Voorbeeld", "uni-voorbeeld.test", 2, words="eager", root=old, scope=True),
        Receiver("stadspost.test", "stadspost.test", 2, start=10800, pad="    "),
        Receiver("mx.hogeschool.test", "mx.hogeschool.test", 1.5, words="plain", merges=True),
        Receiver("mailin.gemeente.test", "mailin.gemeente.test", 1.5, bis=True, scope=True),
        Receiver("Kliniek IT", "kliniek-it.test", 1.2, selector=False),
        Receiver("antenne.test", "antenne.test", 1.2, sender=True),
        Receiver("mail.drukker.test", "mail.drukker.test", 1, one_signature=True),
        Receiver("pakhuis.test", "pakhuis.test", 1, bis=True, sender=True),
        Receiver("mx2.archief.test", "mx2.archief.test", .8, root=old),
        Receiver("bibliotheek.test", "bibliotheek.test", .8, human=True),
        Receiver("mx.veerdienst.test", "mx.veerdienst.test", .6, words="plain"),
        Receiver("notaris-post.test", "notaris-post.test", .6, merges=True, selector=False),
        Receiver("smtp.molen.test", "smtp.molen.test", .5, bis=True),
    ]


class Shape:
    """The text of one receiver's reports."""

    def __init__(self, r):
        self.r = r
        self.nl = "\n" if r.pad else ""

    def line(self, depth, tag, value):
        return "%s<%s>%s</%s>%s" % (self.r.pad * depth, tag, value, tag, self.nl)

    def group(self, depth, tag, inner):
        pad = self.r.pad * depth
        return "%s<%s>%s%s%s</%s>%s" % (pad, tag, self.nl, inner, pad, tag, self.nl)

    def report(self, rid, begin, end, domain, policy, records):
        r, line, group = self.r, self.line, self.group
        meta = line(2, "org_name", r.org) + line(2, "email", "dmarc@" + r.host)
        if r.contact:
            meta += line(2, "extra_contact_info", r.contact)
        meta += line(2, "report_id", rid) + group(2, "date_range", line(3, "begin", begin) + line(3, "end", end))
        if r.bis:
            meta += line(2, "generator", "rapport 3.1")
        said = line(2, "domain", domain.name)
        if r.bis:
            said += line(2, "discovery_method", "psl" if len(r.host) % 2 else "treewalk")
        said += line(2, "p", policy) + line(2, "sp", policy)
        if r.bis:
            said += line(2, "np", policy)
        said += line(2, "adkim", domain.adkim) + line(2, "aspf", domain.aspf)
        said += line(2, "testing", "n") if r.bis else line(2, "pct", domain.pct)
        version = line(1, "version", "1.0")
        return "".join((r.head, self.nl, r.root, self.nl, version, group(1, "report_metadata", meta),
                        group(1, "policy_published", said), "".join(records), "</feedback>", self.nl))

    def record(self, ip, count, disposition, dkim, spf, reason, to, env, header_from, sigs, spf_result):
        r, line, group = self.r, self.line, self.group
        why = group(4, "reason", line(5, "type", reason[0]) + (line(5, "comment", reason[1]) if reason[1] else "")) if reason else ""
        row = line(3, "source_ip", ip) + line(3, "count", count) + group(
            3, "policy_evaluated", line(4, "disposition", disposition) + line(4, "dkim", dkim) + line(4, "spf", spf) + why)
        who = (line(3, "envelope_to", to) if r.recipient else "") + (line(3, "envelope_from", env) if r.sender else "")
        who += line(3, "header_from", header_from)
        auth = ""
        for d, s, result in sigs:
            inner = line(4, "domain", d) + (line(4, "selector", s) if r.selector else "") + line(4, "result", result)
            if r.human and result == "fail":
                inner += line(4, "human_result", "signature did not verify")
            auth += group(3, "dkim", inner)
        for name, result in spf_result if isinstance(spf_result, list) else [(env, spf_result)]:
            if not (r.drop_empty_spf and result == "none"):
                auth += group(3, "spf", line(4, "domain", name) + (line(4, "scope", "mfrom") if r.scope else "") + line(4, "result", result))
        return group(1, "record", group(2, "row", row) + group(2, "identifiers", who) + group(2, "auth_results", auth))


# -------------------------------------------------------------------------------------------------------- infrastructure

class Provider:
    """Mailboxes for many: its addresses send for customers, forward, host lists and let spam out."""

    def __init__(self, name, net, index, rng):
        self.name = name
        self.ips = net.pool(rng.choice((3, 4, 6)), 24, 2, 12, "provider", index)
        self.rewrites = index % 2 == 0          # its forwarding rewrites the envelope sender
        self.selector = ("px%d" % (index + 1), "mail2026", "tenant", "s1024", "prod")[index % 5]


class Service:
    """Sends for customers. form: what customers usually get of it."""

    def __init__(self, name, form, net, index, rng, selector):
        self.name, self.form, self.selector = name, form, selector
        self.ips = net.pool(rng.choice((1, 1, 2, 4)), rng.choice((6, 12, 30)), rng.choice((0, 0, 1)), 8, "service", index)
        self.all = rng.choice(("softfail", "fail", "neutral"))
        self.shared_key = rng.random() < .7


class Relay:
    """Somebody who passes mail on. rewrites: keep | own | own-no-spf."""

    def __init__(self, name, kind, ips, targets, rewrites, breaks, signs, chain, known):
        self.name, self.kind, self.ips, self.targets = name, kind, ips, targets
        self.rewrites, self.breaks, self.signs, self.chain, self.known = rewrites, breaks, signs, chain, known
        self.bounce = name


SERVICE_NAMES = ("nieuwsbus", "factuurpost", "planbord", "kassamelder", "brievenkoning", "ticketvlot", "enquetehuis", "campagnewiel",
                 "reserveerlijn", "salarispost", "mailzwerm", "winkelbode", "agendaklok", "vacaturegids")
SERVICE_FORMS = ("both", "dkim", "dkim", "spf", "helo", "alone", "dkim", "both", "alone", "helo", "dkim", "spf", "alone-spf", "dkim")
FIRST = ("bakkerij", "drukkerij", "fietsen", "atelier", "zeilschool", "molen", "kwekerij", "apotheek", "muziekhuis", "bouwgroep",
         "stichting", "theater", "kade", "waterschap", "tandarts", "meubelen", "reisclub", "advies", "kapsalon", "veiling", "loods",
         "uitgeverij", "optiek", "sporthal")
SECOND = ("noord", "linde", "haven", "zonneweide", "oost", "delta", "vink", "kastanje", "merel", "plaza", "rivier", "hof", "duin",
          "ster", "eik", "markt", "brug")
SUFFIX = (".example", ".test", ".example", "-zz.nl", ".example", "-zz.co.uk", ".test", "-zz.org", ".example", "-zz.com.br")


class World:
    def __init__(self, name, seed, reports, days, domains):
        self.name, self.seed, self.n, self.days = name, seed, reports, days
        self.large = domains > 1
        rng = random.Random(digest("world", name, seed, reports, days, domains))
        self.net = Addresses("%s/%d" % (name, seed))
        self.receivers = receivers()
        if not self.large:                      # a small sender is not met by everybody
            self.receivers = self.receivers[:14 if name == "small" else 10]
        self.shapes = [Shape(r) for r in self.receivers]
        total = sum(r.weight for r in self.receivers)
        self.share = [r.weight / total for r in self.receivers]
        self.first = LAST_DAY.toordinal() - days + 1
        self.epoch = (self.first - datetime.date(1970, 1, 1).toordinal()) * 86400

        self.providers = [Provider("%s.example" % n, self.net, i, rng) for i, n in enumerate(
            ("postkamer", "wolkenpost", "mailstad", "inboxhuis", "provinet"))]
        self.services = [Service(n + (".example", ".test")[i % 2], SERVICE_FORMS[i], self.net, i, rng,
                                 ("nb1", "fp", "plan", "k1", "bk2025", "tv", "eh", "cw", "rl", "sp", "mz", "bode", "ak", "vg")[i])
                         for i, n in enumerate(SERVICE_NAMES)]
        everyone = list(range(len(self.receivers)))
        self.relays = []
        for i in range(70 if self.large else 22):
            narrow = rng.random() < .45
            targets = [self.any_receiver(rng)] if narrow else rng.sample(everyone, rng.randint(2, min(6, len(everyone))))
            ips = self.net.pool(1, rng.choice((1, 1, 1, 2, 3)), rng.choice((0, 0, 0, 1)), 1, "relay", i)
            self.relays.append(Relay("%s%d.example" % (rng.choice(("oudleden", "doorstuur", "alias", "vereniging", "kiosk")), i), "forwarder",
                                     ips, targets, rng.choice(("keep", "keep", "keep", "own", "own", "own-no-spf")),
                                     rng.choice((0, 0, 0, .02, .05)), rng.random() < .25, rng.random() < .4, rng.random() < .6))
        for i, p in enumerate(self.providers):
            r = Relay("fwd." + p.name, "provider", p.ips, everyone, "own" if p.rewrites else "keep", .01, i % 3 == 1, True, True)
            r.bounce, r.provider = p.name, p
            self.relays.append(r)
        for i in range(8 if self.large else 2):
            ips = self.net.pool(1, rng.choice((2, 4, 6)), 0, 0, "gateway", i)
            self.relays.append(Relay("poortwacht%d.test" % i, "gateway", ips, [self.any_receiver(rng)],
                                     "own" if i % 4 == 3 else "keep", .97, True, False, rng.random() < .5))
        self.lists = []
        for i in range(32 if self.large else 7):
            hosted = rng.random() < .3
            p = rng.choice(self.providers)
            ips = p.ips[i:i + 40] if hosted else self.net.pool(1, rng.choice((1, 1, 2)), rng.choice((0, 0, 1)), 1, "list", i)
            subscribers = rng.sample(everyone, rng.randint(3, min(12, len(everyone))))
            name = "groepen.%s" % p.name if hosted else "lijst%d.%s" % (i, rng.choice(("vakbond.test", "koor.example", "wijkraad.test", "devclub.example"))
                                                                        ) if i % 3 else "discussie%d.example" % i
            self.lists.append(Relay(name, "list", ips, subscribers, "own", 0 if i % 4 == 2 else 1, rng.random() < .7, rng.random() < .4, rng.random() < .7))
        self.domains = [Domain(self, k) for k in range(domains)]

    def any_receiver(self, rng):
        return rng.choices(range(len(self.receivers)), [w ** .7 for w in self.share])[0]

    def slots(self):
        """-> (receiver, domain, day) in the order in which they are tried: the planned ones, then as they come."""
        rng = random.Random(digest("slots", self.name, self.seed, self.n))
        for d in self.domains:
            for day, copies in d.wanted:
                for _ in range(copies):
                    yield self.any_receiver(rng), d, day
        weights = [w ** .6 for w in self.share]
        sizes = [d.volume ** .35 for d in self.domains]
        while True:
            d = rng.choices(self.domains, sizes)[0]
            yield rng.choices(range(len(weights)), weights)[0], d, rng.randrange(self.days)


# --------------------------------------------------------------------------------------------------------------- domains

class Mail:
    """One kind of message as it leaves: before anybody passes it on."""
    __slots__ = ("ip", "hf", "env", "sigs", "spf", "spf_elsewhere", "verdict", "note", "service", "hint")

    def __init__(self, ip, hf, env, sigs, spf, spf_elsewhere, verdict, note="", service=False, hint=None):
        self.ip, self.hf, self.env, self.sigs, self.spf = ip, hf, env, sigs, spf
        self.spf_elsewhere, self.verdict, self.note, self.service, self.hint = spf_elsewhere, verdict, note, service, hint


class Domain:
    def __init__(self, world, k):
        self.world, self.k = world, k
        seed = world.seed
        rng = self.rng = random.Random(digest("domain", world.name, seed, k))
        turn = k + 3 * seed if world.large else seed + (0 if world.name == "small" else 2)
        h = digest("name", world.name, seed, k)
        self.name = "%s-%s%s" % (FIRST[(h + k) % len(FIRST)], SECOND[h // 64 % len(SECOND)], SUFFIX[turn % len(SUFFIX)])
        if world.large:
            self.name = self.name.replace("-", "%d-" % k, 1)
        self.turn = turn
        self.aspf = "s" if turn % 7 == 3 else "r"
        self.adkim = "s" if turn % 11 == 5 else "r"
        self.pct = rng.choice((100, 100, 100, 25))
        self.steps = sorted((rng.uniform(-.4, 1.3), rng.uniform(-.1, 1.6)))
        self.all = rng.choice(("softfail", "softfail", "fail", "neutral"))
        self.signs = not (world.large and k % 9 == 4)
        self.hosted = world.providers[turn % len(world.providers)] if turn % 3 == 1 else None
        self.volume = min(4000.0, rng.lognormvariate(5.2, 1.3)) if world.large else rng.uniform(22, 40) if world.name == "small" else rng.uniform(18, 30)
        self.selectors = rng.choice((("huis1", "huis2"), ("2025a", "2026a"), ("mta", "mta-b"), ("sleutel", "sleutel2"), ("default", "default2")))
        self.roll = world.days * rng.uniform(.3, .7) if rng.random() < .5 else world.days * 9
        self.subs = [s + "." + self.name for s in rng.sample(("nieuws", "winkel", "post", "klant"), rng.choice((0, 1, 1, 2)))]
        self.flows = []         # (rate, receivers or None, factor of a day, maker)
        self.mail = []          # (rate, maker): what others may pass on
        self.wanted = []        # (day, reports): days that must not be missed
        self.servers(rng, turn)
        self.use_services(rng, turn)
        self.passed_on(rng)
        self.strangers(rng, turn)

    # -- the domain's own

    def selector(self, day):
        return self.selectors[day >= self.roll]

    def own_signature(self, day, hf, result="pass"):
        if not self.signs:
            return ()
        return ((hf if self.adkim == "s" else self.name, self.selector(day), result),)

    def flow(self, rate, maker, targets=None, factor=None):
        if targets is None:
            self.flows.append((rate, None, factor, maker))
        else:
            weight = sum(self.world.share[t] ** .5 for t in targets)
            self.flows.append((rate, {t: self.world.share[t] ** .5 / weight for t in targets}, factor, maker))

    def server(self, rate, ips, state="ok", since=0, factor=None):
        """state from day `since` on: ok | no-spf | wrong-key | neither"""
        # Strict SPF alignment with a bounce address below the domain: SPF passes, but does not align.
        below = self.aspf == "s" and self.k % 2 == 1 and self.signs

        def make(rng, day):
            ip = skewed(rng, ips, 1.5)
            hf = self.name if not self.subs or rng.random() < .85 else self.subs[0]
            now = state if day >= since else "ok"
            env = "bounce." + self.name if below else hf if self.aspf == "s" else self.name
            x = rng.random()
            sigs, spf = self.own_signature(day, hf), "pass"
            verdict, note = "authorized", "strict" if below else "" if self.signs else "dkim-missing"
            if now in ("no-spf", "neither"):
                spf, verdict, note = self.all, "misconfigured", "half-way" if since else "no-spf"
            if now in ("wrong-key", "neither"):
                sigs = self.own_signature(day, hf, "fail")
                note = "wrong-key" if now == "wrong-key" else "neither"
            if x < .004:
                sigs, spf = tuple((d, s, "temperror") for d, s, _ in sigs), "temperror"
            elif x < .012 and now == "ok" and not below:
                sigs = tuple((d, s, "fail") for d, s, _ in sigs)
            return Mail(ip, hf, env, sigs, spf, self.all, verdict, note)
        self.flow(rate, make, factor=factor)
        if state == "ok" or since:
            self.mail.append((rate, make))
        return make

    def servers(self, rng, turn):
        w, v = self.world, self.volume
        net = w.net.net4("own", self.k)
        first = rng.randrange(20, 200)
        count = rng.choice((1, 2, 2, 3, 4))
        ips = [net + str(first + j * rng.choice((1, 1, 2))) for j in range(count)]
        ips = list(dict.fromkeys(ips))
        if self.hosted:
            pool = self.hosted.ips[self.k % 3::3]

            def hosted(rng, day, pool=pool):
                hf = self.name
                sigs = ((self.name, self.hosted.selector, "pass" if rng.random() > .006 else "fail"),) if self.signs else ()
                if rng.random() < .5:
                    sigs += ((self.name.replace(".", "-") + "." + self.hosted.name, "t1", "pass"),)
                return Mail(skewed(rng, pool), hf, hf, sigs, "pass", self.all, "authorized", "hosted" if self.signs else "dkim-missing")
            self.flow(v * .35, hosted)
            self.mail.append((v * .35, hosted))
            self.server(v * .12, ips)
        else:
            self.server(v * .45, ips)
        extra = first + 6
        # One in two servers that are not set up stands beside the others; the rest anywhere.
        elsewhere = w.net.net4("own-far", self.k)
        beside = rng.random() < .5
        spot = (net + str(extra)) if beside else elsewhere + str(extra)
        kind = turn % 6
        rate = v * rng.uniform(.06, .15)
        half = w.days * rng.uniform(.4, .65)
        if not self.signs:
            kind = 1
        if kind == 0:
            self.server(rate, [spot], "no-spf")
        elif kind == 1:
            self.server(rate, [spot], "no-spf", half)
        elif kind == 2:
            ip6 = w.net.net6("own", self.k) + ":%x" % extra
            self.server(rate * .7, [ip6], "no-spf")
        elif kind == 3:
            self.server(rate, [net + str(extra)], "wrong-key", half if rng.random() < .4 else 0)
            if rng.random() < .7:
                self.server(rate * .5, [net + str(extra + 1)], "neither")
        elif kind == 4:
            self.server(rate, [spot], "neither", half)
        if w.large and self.signs and rng.random() < .35:
            self.server(v * rng.uniform(.03, .08), [w.net.net4("own-more", self.k) + str(rng.randrange(5, 250))], "no-spf")
        if rng.random() < (.3 if w.large else .6):
            # Invoices: two days a month, one server.
            days = [d for d in range(rng.randrange(3, 26), w.days, 30)]
            on = set(days) | {d + 1 for d in days}
            self.server(v * .5, [w.net.net4("own-monthly", self.k) + "25"], factor=lambda day: 1.0 if day in on else 0.0)
            self.wanted += [(d, 1) for d in days]

    # -- services

    def use_services(self, rng, turn):
        w, v = self.world, self.volume
        wanted = [s for s in w.services if self.signs or s.form == "spf"]
        chosen = rng.sample(wanted, min(len(wanted), rng.choice((2, 3, 4, 5)) if w.large else rng.choice((2, 3))))
        if not w.large and not any(s.form.startswith("alone") for s in chosen) and rng.random() < .6:
            chosen[0] = w.services[5]
        for i, s in enumerate(chosen):
            form = s.form
            begin, fixed = 0, None
            x = rng.random()
            if x < .2:
                begin = int(w.days * rng.uniform(.35, .6))
            if form.startswith("alone"):
                if rng.random() < .3 and self.signs:
                    fixed = int(w.days * rng.uniform(.55, .8))
            elif rng.random() < .12 and self.signs and form == "dkim":
                fixed = int(w.days * rng.uniform(.4, .7))       # set up late: until then it sends as itself
            rate = v * rng.uniform(.04, .3) * (.25 if form.startswith("alone") else 1)
            wide = rng.random() < .5
            ips = s.ips if wide else s.ips[:max(2, len(s.ips) // 5)]
            self.service(rng, s, form, rate, ips, begin, fixed)

    def service(self, rng, s, form, rate, ips, begin, fixed):
        selector = s.selector if s.shared_key else "%s%d" % (s.selector, self.k + 1)
        sub = self.subs[-1] if self.subs and rng.random() < .5 else self.name
        signer = sub if self.adkim == "s" else self.name
        # Strict SPF alignment: the bounce name below the domain passes and does not align; DKIM carries it.
        bounce = "rp-%s.%s" % (s.selector, self.name) if self.aspf == "r" or form == "both" else sub
        campaigns = form in ("both", "dkim") and rng.random() < .5
        phase = rng.randrange(7)
        doubly = rng.random() < .5
        helo = "uit%d.%s" % (rng.randrange(1, 9), s.name)

        def factor(day):
            if day < begin:
                return 0.0
            return 1.0 if not campaigns else (4.0 if (day + phase) % 7 == 2 else .25)

        def make(rng, day):
            ip = skewed(rng, ips)
            theirs, ours = (s.name, "dk1", "pass"), (signer, selector, "pass" if rng.random() > .004 else "temperror")
            if fixed is not None and day < fixed:
                return Mail(ip, sub, "rb." + s.name, (theirs,), "pass", s.all, "unaligned", "fixed-later", True)
            if form == "both":
                return Mail(ip, sub, bounce, (ours, theirs) if doubly else (ours,), "pass", self.all, "authorized",
                            "service" if self.aspf == "r" else "service-strict", True)
            if form == "spf":
                return Mail(ip, sub, bounce, (theirs,), "pass", self.all, "authorized", "service-spf-only", True)
            if form == "dkim" or fixed is not None:
                return Mail(ip, sub, "rb." + s.name, (ours, theirs) if doubly else (ours,), "pass", s.all, "dkim-only",
                            "new" if begin else "", True)
            if form == "helo":
                return Mail(ip, sub, helo, (ours,), "none", "none", "dkim-only", "no-return-path", True)
            sigs = (theirs,) if form == "alone" else ()
            return Mail(ip, sub, "rb." + s.name, sigs, "pass", s.all, "unaligned", "new" if begin else "", True)
        self.flow(rate, make, factor=factor)
        if not form.startswith("alone") and not fixed and not begin:
            self.mail.append((rate, make))

    # -- whoever passes mail on

    def pass_on(self, relay, mail, rng, day):
        sigs = mail.sigs
        broken = rng.random() < relay.breaks
        if broken:
            sigs = tuple((d, s, "fail") for d, s, _ in sigs)
        sigs = tuple((d, s, "pass" if r == "temperror" else r) for d, s, r in sigs)
        env, spf = mail.env, mail.spf_elsewhere
        if relay.rewrites == "own":
            env, spf = relay.bounce, "pass"
        elif relay.rewrites == "own-no-spf":
            env, spf = relay.bounce, "none"
        elif rng.random() < .01:
            spf = "temperror"
        if relay.signs:
            sigs += ((relay.bounce, "rl" if relay.kind != "list" else "lst", "pass"),)
        if relay.kind == "list":
            verdict, note = ("mailing-list", "") if relay.breaks else ("forwarded", "list-keeps")
            hint = "list" if relay.known else "arc" if relay.chain else None
        else:
            verdict, hint = "forwarded", "arc" if relay.chain else "forwarded" if relay.known else None
            note = "gateway" if relay.kind == "gateway" else "provider" if relay.kind == "provider" else "narrow" if len(relay.targets) == 1 else ""
        if not any(d.endswith(self.name) for d, _, _ in mail.sigs):
            note = (note + "+" if note else "") + ("service-signed" if mail.sigs else "unsigned")
        elif mail.service:
            note = (note + "+" if note else "") + "service-mail"
        if broken and relay.kind in ("forwarder", "provider"):
            note = (note + "+" if note else "") + "broken"
        return Mail(skewed(rng, relay.ips, 1.3), mail.hf, env, sigs, spf, spf, verdict, note, False, hint)

    def passed_on(self, rng):
        w, v = self.world, self.volume
        rates, makers = [r for r, _ in self.mail], [m for _, m in self.mail]
        own = makers[:2] if len(makers) > 1 and self.hosted else makers[:1]

        def through(relay, sources, weights):
            def make(rng, day):
                for _ in range(9):
                    mail = rng.choices(sources, weights)[0](rng, day)
                    if mail.verdict in ("authorized", "dkim-only") and not any(r == "fail" for _, _, r in mail.sigs):
                        break
                return self.pass_on(relay, mail, rng, day)
            return make
        # A forwarder in the domain's own SPF record cannot be told from a sender of its own: not in this world.
        usual = [r for r in w.relays if r.kind == "forwarder"]
        mine = rng.sample(usual, min(len(usual), rng.randint(10, 26) if w.large else rng.randint(8, 12)))
        total = v * rng.uniform(.04, .10) * (1 if self.signs else .5)
        weights = [1 / (i + 1.5) for i in range(len(mine))]
        for r, x in zip(mine, weights):
            self.flow(total * .55 * x / sum(weights), through(r, makers, rates), r.targets)
        for r in w.relays:
            if r.kind == "provider" and (r.provider is not self.hosted or r.rewrites == "own"):
                self.flow(total * .45 / len(w.providers) * (.3 if r.provider is self.hosted else 1), through(r, makers, rates), r.targets)
        gates = [r for r in w.relays if r.kind == "gateway"]
        for r in rng.sample(gates, rng.choice((0, 1, 2)) if w.large else rng.choice((0, 1))):
            self.flow(v * rng.uniform(.004, .012), through(r, makers, rates), r.targets)
        chosen = rng.sample(w.lists, min(len(w.lists), rng.randint(2, 6) if w.large else rng.randint(2, 4)))
        total = max(.8, v * rng.uniform(.015, .035)) * (1 if self.signs else .4)
        for i, r in enumerate(chosen):
            # People post on some days; then every subscriber's receiver sees it.
            phase, often = rng.randrange(5), rng.choice((2, 3, 5))
            self.flow(total / len(chosen) * often ** .5, through(r, own, [1] * len(own)), r.targets,
                      lambda day, p=phase, o=often: 1.0 if (day * 7 + p) % o == 0 else .1)

    # -- strangers

    def strangers(self, rng, turn):
        w, v = self.world, self.volume
        base = min(60.0, max(1.2 if w.large else .8, v * rng.uniform(.02, .08)))
        junk = ["aanbod-%d.%s" % (digest("junk", w.name, w.seed, self.k // 3, i) % 9000, ("test", "example")[i % 2]) for i in range(12)]
        names = ("default", "google", "k1", "selector1", "mail", "dkim")

        def home(rng, day):
            x = rng.random()
            ip, hf = w.net.residential(rng), self.name if not self.subs or rng.random() < .8 else rng.choice(self.subs)
            if x < .62:
                return Mail(ip, hf, hf, (), self.all if rng.random() < .96 else "temperror", "", "spoofed", "home")
            if x < .70:
                return Mail(ip, hf, hf, ((self.name, rng.choice(names), "fail"),), self.all, "", "spoofed", "made-up-signature")
            env = rng.choice(junk) if x < .85 else "pc%d.%s" % (rng.randrange(999), rng.choice(junk))
            return Mail(ip, hf, env, (), rng.choice(("none", "softfail", "fail", "none")), "", "spoofed", "foreign-envelope")
        self.flow(base * .7, home)

        # Impostors who authenticate as themselves: nobody can tell them from a vendor, so both answers are right.
        for i in range(rng.choice((1, 2, 3)) if w.large else rng.choice((1, 2))):
            name, start, length = junk[i], rng.randrange(w.days), rng.choice((4, 12, 25, 60))
            ips = w.net.pool(1, rng.choice((1, 2, 5)), 0, 0, "impostor", self.k, i)

            def impostor(rng, day, name=name, ips=ips, signs=i % 2 == 0):
                return Mail(rng.choice(ips), self.name, name, ((name, "x", "pass"),) if signs else (), "pass", "", "spoofed|unaligned", "impostor")
            self.flow(base * .8, impostor, factor=lambda day, a=start, n=length: 1.0 if a <= day < a + n else 0.0)

        def spam(rng, day):
            p = w.providers[(self.k + day % 2) % len(w.providers)]
            if p is self.hosted:                # nobody could tell it from the domain's own mail
                p = w.providers[(self.k + 2) % len(w.providers)]
            ip, x = skewed(rng, p.ips, 1.0), rng.random()
            if x < .45:
                return Mail(ip, self.name, rng.choice(junk[6:]), (), "pass", "", "spoofed|unaligned", "spam-account")
            if x < .7 and p.rewrites:
                return Mail(ip, self.name, p.name, (), "pass", "", "spoofed|unaligned", "relayed-spam")
            if not self.signs and not p.rewrites:       # the same as forwarded mail of a domain that never signs
                return Mail(w.net.residential(rng), self.name, self.name, (), self.all, "", "spoofed", "home")
            return Mail(ip, self.name, self.name, (), self.all, "", "spoofed", "relayed-spam")
        self.flow(base * .06, spam)

        def burst(ips, kind, start, length, rate):
            def make(rng, day):
                ip = rng.choice(ips)
                if kind == "stolen":
                    selector = self.selector(day) if rng.random() < .4 else rng.choice(names)
                    return Mail(ip, self.name, self.name, ((self.name, selector, "fail"),), self.all, "", "spoofed", "stolen-selector")
                return Mail(ip, self.name, self.name, (), self.all, "", "spoofed", "botnet")
            self.flow(rate, make, factor=lambda day: 1.0 if start <= day < start + length else 0.0)
            self.wanted += [(start + d, 2 if w.large else 3) for d in range(length)]
        botnet = [w.net.residential(rng) for _ in range(400)]
        if turn % 2 == 0:
            burst(botnet, "botnet", rng.randrange(5, w.days - 5), 3, max(40, v * .4))
        if turn % 5 == 2 and self.signs:
            burst(botnet[:150], "stolen", rng.randrange(5, w.days - 5), 3, max(25, v * .2))
        if w.large and turn % 10 == 7:          # a stranger in the same rack: one day, never signed
            rack = [self.flows[0][3](random.Random(1), 0).ip]
            if "." in rack[0] and not self.hosted:
                ip = rack[0].rsplit(".", 1)[0] + ".250"
                burst([ip], "botnet", rng.randrange(5, w.days - 5), 1, max(20, v * .05))

        # A small vendor that nobody else uses: its own SPF, perhaps its own key, every few days, for ever.
        if turn % 2 == 1 or rng.random() < .3:
            name = "%s-%s.example" % (rng.choice(("garage", "horloger", "tolk", "boekhouder", "fotograaf", "weerstation")),
                                      rng.choice(("veld", "horst", "brink", "donk", "stee")) + str(self.k))
            ips = w.net.pool(1, rng.choice((1, 1, 2)), 0, 0, "vendor", self.k)
            signs = rng.random() < .6

            def vendor(rng, day):
                return Mail(rng.choice(ips), self.name, name, ((name, "v", "pass"),) if signs else (), "pass", "", "unaligned", "lone-vendor")
            self.flow(max(1.2 if w.large else .9, min(6, v * .02)), vendor)

    def policy(self, day):
        t = day / self.world.days
        return "none" if t < self.steps[0] else "quarantine" if t < self.steps[1] else "reject"


# --------------------------------------------------------------------------------------------------------------- reports

def aligned(name, header_from, domain, mode):
    return name == header_from if mode == "s" else name == domain or name.endswith("." + domain)


def excuse(rng, receiver, mail, failing):
    """What the receiver says about why the policy was not applied, or None. Receivers guess, and guess wrong."""
    words, hint = receiver.words, mail.hint
    if words is None:
        return None
    x = rng.random()
    if hint is None:
        if x < .012 and words in ("eager", "plain"):            # a wrong guess, on anybody's mail
            kind = rng.choice(("forwarded", "mailing_list", "trusted_forwarder"))
        elif failing and x < .03 and words == "arc":
            return "local_policy", "arc=fail"
        elif failing and x < .02 and words == "quiet":
            return "local_policy", ""
        else:
            return None
    elif not failing and words != "eager":
        return None
    elif hint == "arc" and words == "arc" and x < .8:
        return "local_policy", "arc=pass as[1].d=keten.example as[1].s=arc"
    elif hint == "forwarded" and x < .6 or hint == "arc" and words == "eager" and x < .3:
        kind = "forwarded" if words != "quiet" else "local_policy"
    elif hint == "list" and x < .65:
        kind = "mailing_list" if words in ("plain", "eager") else "local_policy"
    else:
        return None
    if kind == "forwarded" and receiver.bis:
        kind = "trusted_forwarder"
    return kind, "known relay" if kind != "local_policy" and x < .3 else ""


def masked(ip):
    """The address as a receiver writes it that hides whose it is: the last octet of IPv4, all behind /48 of IPv6, is zero."""
    if ":" in ip:
        return ":".join(ip.split(":")[:3]) + "::"
    return ip.rsplit(".", 1)[0] + ".0"


class Ledger:
    def __init__(self):
        self.labels = defaultdict(lambda: [0, 0, Counter()])
        self.domains = {}

    def domain(self, name):
        return self.domains.setdefault(name, dict(reports=0, records=0, messages=0, passed=0, spf_passed=0, dkim_passed=0,
                                                  dispositions=Counter(), verdicts=Counter(), receivers=Counter()))


def build(world, index, domain, day, ledger):
    """-> (file name, text) of one report, or None if the receiver saw nothing that day."""
    receiver, shape, share = world.receivers[index], world.shapes[index], world.share[index]
    rng = random.Random(digest("report", world.name, world.seed, index, domain.k, day))
    mood = rng.lognormvariate(0, .5)
    policy = domain.policy(day)
    rows = {}
    for rate, targets, factor, make in domain.flows:
        if targets is not None:
            part = targets.get(index)
            if part is None:
                continue
        else:
            part = share
        mean = rate * part * mood
        if factor is not None:
            mean *= factor(day)
        # Rare reports stand for a day that was worth one: at least a trickle of what is steady.
        n = poisson(rng, mean)
        if not n:
            continue
        draws = min(n, 24)
        for i in range(draws):
            count = n // draws + (i < n % draws)
            mail = make(rng, day)
            sigs = mail.sigs[:1] if receiver.one_signature else mail.sigs
            dkim = any(r == "pass" and aligned(d, mail.hf, domain.name, domain.adkim) for d, _, r in mail.sigs)
            spf = mail.spf == "pass" and aligned(mail.env, mail.hf, domain.name, domain.aspf)
            why = excuse(rng, receiver, mail, not dkim and not spf)
            if dkim or spf:
                disposition = "pass" if receiver.bis and policy != "none" else "none"
            elif policy == "none" or why:
                disposition = "none"
            elif not receiver.bis and domain.pct < 100 and rng.random() * 100 >= domain.pct:
                why, disposition = ("sampled_out", ""), "none"
            else:
                disposition = policy
            if receiver.masks:
                mail = Mail(masked(mail.ip), mail.hf, mail.env, mail.sigs, mail.spf, mail.spf_elsewhere, mail.verdict, mail.note, mail.service, mail.hint)
            if receiver.groups:         # one row for all that ended alike, with every result that was met
                key = (mail.ip, mail.hf, dkim, spf, disposition)
            elif receiver.merges:       # one row for all that ended alike; the first message's results stand for them
                key = (mail.ip, mail.hf, dkim, spf, disposition, why and why[0], mail.verdict, mail.note)
            else:
                key = (mail.ip, mail.hf, mail.env, sigs, mail.spf, disposition, why, mail.verdict, mail.note)
            row = rows.get(key)
            if row is None:
                row = rows[key] = [0, mail, sigs, dkim, spf, disposition, why, Counter(), []]
            elif receiver.groups:
                row[2] += tuple(s for s in sigs if s not in row[2])
            row[0] += count
            row[7][mail.verdict, mail.note] += count
            if (mail.env, mail.spf) not in row[8]:
                row[8].append((mail.env, mail.spf))
    if not rows:
        return None
    if receiver.one_signature:          # it kept the signature that decided
        for row in rows.values():
            good = [s for s in row[1].sigs if s[2] == "pass" and aligned(s[0], row[1].hf, domain.name, domain.adkim)]
            if good:
                row[2] = tuple(good[:1])
    begin = world.epoch + day * 86400 + receiver.start
    end = begin + 86399
    rid = "%x.%d.%s" % (digest("id", world.name, world.seed, index, domain.k, day), begin, receiver.host)
    totals = ledger.domain(domain.name)
    totals["reports"] += 1
    totals["receivers"][receiver.org.replace("&amp;", "&")] += 1
    records = []
    word = ("fail", "pass")
    for count, mail, sigs, dkim, spf, disposition, why, meant, envelopes in rows.values():
        records.append(shape.record(mail.ip, count, disposition, word[dkim], word[spf], why, receiver.host, mail.env, mail.hf, sigs,
                                    envelopes if receiver.groups else mail.spf))
        for (verdict, note), part in meant.items():
            label = ledger.labels[domain.name, mail.ip, verdict]
            label[0] += 1
            label[1] += part
            label[2][note or "-"] += part
            totals["verdicts"][verdict] += part
        totals["records"] += 1
        totals["messages"] += count
        totals["passed"] += count if dkim or spf else 0
        totals["spf_passed"] += count if spf else 0
        totals["dkim_passed"] += count if dkim else 0
        totals["dispositions"][disposition] += count
    name = "%s!%s!%d!%d!%x.xml.gz" % (receiver.host, domain.name, begin, end, zlib.crc32(rid.encode()))
    return name, shape.report(rid, begin, end, domain, policy, records)


def generate(out, seed, name, reports=None, days=None, domains=None):
    """Writes the world; -> the totals."""
    usual = WORLDS[name]
    world = World(name, seed, reports or usual[0], days or usual[1], domains or usual[2])
    if os.path.exists(out):
        shutil.rmtree(out)
    os.makedirs(os.path.join(out, "reports"))
    ledger, seen, written, tries = Ledger(), set(), 0, 0
    for index, domain, day in world.slots():
        if written == world.n or tries > world.n * 60:
            break
        tries += 1
        slot = (index, domain.k, day)
        if slot in seen or day >= world.days:
            continue
        seen.add(slot)
        made = build(world, index, domain, day, ledger)
        if made is None:
            continue
        path, text = made
        blob = io.BytesIO()
        with gzip.GzipFile("", "wb", 5, blob, mtime=0) as packed:
            packed.write(text.encode())
        with open(os.path.join(out, "reports", path), "wb") as f:
            f.write(blob.getvalue())
        written += 1
    with open(os.path.join(out, "labels.tsv"), "w", encoding="utf-8") as f:
        f.write("domain\tsource\tverdict\trecords\tmessages\tnote\n")
        for (d, source, verdict), (records, messages, notes) in sorted(ledger.labels.items()):
            note = ";".join("%s=%d" % kv for kv in sorted(notes.items()))
            f.write("%s\t%s\t%s\t%d\t%d\t%s\n" % (d, source, verdict, records, messages, note))
    # A report may begin the evening before: the first day is that of a window's midpoint.
    first = datetime.date.fromordinal(world.first)
    totals = dict(world=name, seed=seed, first_day=str(first), last_day=str(LAST_DAY), reports=written,
                  records=sum(d["records"] for d in ledger.domains.values()),
                  messages=sum(d["messages"] for d in ledger.domains.values()),
                  verdicts=dict(sorted(sum((d["verdicts"] for d in ledger.domains.values()), Counter()).items())),
                  domains={k: {a: dict(sorted(b.items())) if isinstance(b, Counter) else b for a, b in d.items()}
                           for k, d in sorted(ledger.domains.items())})
    with open(os.path.join(out, "totals.json"), "w", encoding="utf-8") as f:
        json.dump(totals, f, indent=1)
        f.write("\n")
    return totals


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", required=True, metavar="DIR", help="replaced if it holds an earlier world")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--world", choices=sorted(WORLDS), default="varied")
    p.add_argument("--reports", type=int)
    p.add_argument("--days", type=int)
    p.add_argument("--domains", type=int)
    a = p.parse_args(argv)
    if os.path.exists(a.out) and os.listdir(a.out) and not os.path.exists(os.path.join(a.out, "totals.json")):
        p.error("%s exists and holds no world" % a.out)
    t = generate(a.out, a.seed, a.world, a.reports, a.days, a.domains)
    print("%d reports, %d records, %d messages" % (t["reports"], t["records"], t["messages"]))


if __name__ == "__main__":
    sys.exit(main())
