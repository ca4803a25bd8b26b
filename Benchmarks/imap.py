"""Rate of an ingest over IMAP: a Dovecot of its own on the loopback, TLS, the whole pipeline behind it."""
import json
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

SERVER = "/usr/sbin/dovecot"
CONFIGURATION = """
base_dir = @DIR@/run
state_dir = @DIR@/run
log_path = @DIR@/log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <@DIR@/server.pem
ssl_key = <@DIR@/server.key
ssl_min_protocol = TLSv1.2
mail_location = maildir:@DIR@/mail
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
first_valid_gid = 1
passdb {
  driver = passwd-file
  args = scheme=PLAIN @DIR@/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=@DIR@/home
}
service imap-login {
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = @PORT@
    ssl = yes
  }
}
"""


def hindrance():
    if not os.path.exists(SERVER):
        return "dovecot-imapd is not installed"
    return None if os.geteuid() == 0 else "only root can start Dovecot"


def start(folder, maildir):
    """A server with the mails of `maildir` in its INBOX; its process and port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.makedirs(folder + "/run")
    os.makedirs(folder + "/home")
    shutil.copytree(maildir, folder + "/mail")
    for name, text in (("users", "u:{PLAIN}bench\n"), ("password", "bench\n"),
                       ("dovecot.conf", CONFIGURATION.replace("@DIR@", folder).replace("@PORT@", str(port)))):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    os.chmod(folder + "/password", 0o600)
    quiet = dict(check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", "-keyout", "server.key", "-out", "server.pem"], **quiet)
    subprocess.run(["chown", "-R", "nobody:nogroup", "mail", "home"], **quiet)
    os.chmod(folder, 0o755)
    process = subprocess.Popen([SERVER, "-F", "-c", folder + "/dovecot.conf"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process, port
        except OSError:
            time.sleep(0.05)
    process.terminate()
    raise RuntimeError("Dovecot did not start; its log is %s/log" % folder)


def measure(binary, corpus, Run, runs=5):
    """Prints mails a second and peak memory; False if the totals are wrong."""
    reason = hindrance()
    if reason:
        print("imap: not measured, %s" % reason)
        return True
    with open(os.path.join(corpus, "truth.json")) as file:
        total = json.load(file)["total"]
    folder = tempfile.mkdtemp(prefix="dmarcstat-imap-", dir="/tmp")
    server = None
    try:
        server, port = start(folder, os.path.join(corpus, "maildir"))
        with open(folder + "/config.toml", "w") as file:
            file.write('[[mailbox]]\nname = "bench"\nkind = "imap"\nhost = "localhost"\nport = %d\nuser = "u"\n'
                       'ca_file = "%s/server.pem"\npassword_file = "%s/password"\n' % (port, folder, folder))
        rates, peaks = [], []
        # The first run makes Dovecot's index of the folder, which every later one finds.
        for run in range(runs + 1):
            database = "%s/%d.sqlite" % (folder, run)
            begun = time.monotonic()
            answer = Run([binary, "ingest", "--config", folder + "/config.toml", "--database", database, "--format", "json"])
            seconds = time.monotonic() - begun
            stored = json.loads(answer.stdout)["stored"]
            if stored != dict(reports=total["reports"], records=total["records"], messages=total["messages"]):
                print("imap: WRONG TOTALS %s, so no figures" % stored)
                return False
            if run > 0:
                rates.append(total["files"] / seconds)
                peaks.append(answer.peak)
        print("imap: %d mails over TLS from a Dovecot on the loopback, stored: median %.0f mails/s (%.0f to %.0f), peak memory %.1f MiB" % (
            total["files"], statistics.median(rates), min(rates), max(rates), statistics.median(peaks) / 1024), flush=True)
        print(json.dumps(dict(corpus="imap", mails=total["files"], mails_per_second=round(statistics.median(rates)),
                              peak_kib=round(statistics.median(peaks)))))
        return True
    finally:
        if server:
            server.terminate()
            server.wait()
        shutil.rmtree(folder, ignore_errors=True)
