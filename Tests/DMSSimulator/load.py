"""A full load: rows from the CSV files into PostgreSQL, by COPY, over time."""

import io
import os
import subprocess
import threading
import time

STEPS = 10
"""In how many transfers a table is loaded; arbitrary."""


class TableError(Exception):
    pass


class Target:
    """The PostgreSQL endpoint, through psql."""

    def __init__(self, psql, database):
        self.psql, self.database = psql, database

    def run(self, sql, data=None):
        command = [self.psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.database, "-c", sql]
        done = subprocess.run(command, input=data or "", capture_output=True, text=True)
        if done.returncode != 0:
            raise TableError(" ".join(done.stderr.split()))
        return done.stdout.strip()


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


class TableLoad:
    """What is known about the load of one table; the lines of describe-table-statistics."""

    def __init__(self, schema, table):
        self.schema, self.table = schema, table
        self.state, self.rows, self.expected = "Before load", 0, 0
        self.began = self.ended = None
        self.validation = {"ValidationState": "Not enabled"}

    def statistics(self):
        entry = {
            "SchemaName": self.schema,
            "TableName": self.table,
            "FullLoadRows": self.rows,
            "FullLoadErrorRows": 0,
            "FullLoadCondtnlChkFailedRows": 0,
            "LastUpdateTime": time.time(),
            "TableState": self.state,
            **self.validation,
        }
        if self.began:
            entry["FullLoadStartTime"] = self.began
        if self.ended:
            entry["FullLoadEndTime"] = self.ended
        return entry


class Load:
    """One start of a task. `stopped` is set by whoever wants it to stop; `on_table` may break a table on purpose."""

    def __init__(self, mapping, settings, tables, target, seconds, hold=None):
        self.mapping, self.settings, self.tables = mapping, settings, tables
        self.target, self.seconds, self.hold = target, seconds, hold
        self.stopped = threading.Event()
        self.loads = [TableLoad(table.schema, table.name) for table, _ in mapping.selected(tables)]
        missing = [TableLoad(*name) for name in mapping.named(tables)]
        for entry in missing:
            entry.state = "Table does not exist"
        self.missing = missing

    def statistics(self):
        return [entry.statistics() for entry in self.loads + self.missing]

    def count(self, state):
        return sum(entry.state == state for entry in self.loads)

    def percent(self):
        expected = sum(entry.expected for entry in self.loads)
        return 100 * sum(entry.rows for entry in self.loads) // expected if expected else 0

    def run(self, on_table):
        threads = []
        for entry, (table, rule) in zip(self.loads, self.mapping.selected(self.tables)):
            threads.append(threading.Thread(target=self._guarded, args=(entry, table, rule, on_table), daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _guarded(self, entry, table, rule, on_table):
        try:
            self._table(entry, table, rule, on_table)
        except (TableError, ValueError, KeyError) as error:
            print(f"{entry.schema}.{entry.table}: {error}", flush=True)
            entry.state = "Table error"

    def _table(self, entry, table, rule, on_table):
        entry.state, entry.began = "Full load", time.time()
        lobs = self.settings.get("TargetMetadata", {}).get("SupportLobs", False)
        rows = [row for row in table.rows if self.mapping.takes(rule, table, row)]
        entry.expected = len(rows)
        names = self._prepare(table)
        kept = [i for i, name in enumerate(names[2]) if name is not None]
        columns = ", ".join(quoted(names[2][i]) for i in kept)
        copy = f"COPY {quoted(names[0])}.{quoted(names[1])} ({columns}) FROM STDIN WITH (FORMAT csv)"
        size = max(1, -(-len(rows) // STEPS))
        for start in range(0, len(rows), size):
            if self.stopped.wait(self.seconds / STEPS):
                entry.state = "Table cancelled"
                return
            part = rows[start : start + size]
            sent = on_table(entry, part, is_last=start + size >= len(rows))
            values = [[table.columns[i].value(row[i], lobs) for i in kept] for row in sent]
            self.target.run(copy, csv_text(values))
            entry.rows += len(part)
            while self.hold and os.path.exists(self.hold) and not self.stopped.wait(0.01):
                pass
        entry.state, entry.ended = "Table completed", time.time()

    def _prepare(self, table):
        """What TargetTablePrepMode says; a table that is not there is made with DMS's own types and names."""
        metadata = self.settings.get("TargetMetadata", {})
        names = self.mapping.target(table, metadata.get("TargetSchema", ""))
        target = f"{quoted(names[0])}.{quoted(names[1])}"
        mode = self.settings.get("FullLoadSettings", {}).get("TargetTablePrepMode", "DO_NOTHING")
        if mode == "DROP_AND_CREATE":
            self.target.run(f"DROP TABLE IF EXISTS {target}")
        columns = ", ".join(
            f"{quoted(name)} {column.postgres_type()}" for name, column in zip(names[2], table.columns) if name
        )
        self.target.run(
            f"CREATE SCHEMA IF NOT EXISTS {quoted(names[0])}; CREATE TABLE IF NOT EXISTS {target} ({columns})"
        )
        if mode == "TRUNCATE_BEFORE_LOAD":
            self.target.run(f"TRUNCATE TABLE {target}")
        return names


def csv_text(rows):
    """CSV in which None is NULL (nothing) and everything else is in quotes."""
    out = io.StringIO()
    for row in rows:
        cells = ["" if value is None else '"' + value.replace('"', '""') + '"' for value in row]
        out.write(",".join(cells) + "\n")
    return out.getvalue()
