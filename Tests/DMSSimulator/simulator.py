#!/usr/bin/env python3
"""AWS DMS as far as a full load from Oracle to PostgreSQL needs it: on loopback, and it really moves rows.

Speaks the wire protocol of the service (POST /, X-Amz-Target, JSON), so that the real `aws` command talks to it through
AWS_ENDPOINT_URL_DATABASE_MIGRATION_SERVICE or --endpoint-url. Needs Python 3.9, psql, and nothing else.

    simulator.py --source Fixtures/dms/oracle --database postgresql://…  [--fail table-error@ORDERS]
"""

import argparse
import http.server
import json
import os
import signal
import threading
import time
import uuid

import load
import mapping
import oracle
import validation

ACCOUNT = "arn:aws:dms:us-east-1:123456789012"
FINISHED = "Stop Reason FULL_LOAD_ONLY_FINISHED"
FAILURES = {
    "table-error": "a table ends in Table error, the task in stopped with FULL_LOAD_ONLY_FINISHED and 100 %",
    "no-tables": "nothing is loaded and no table mentioned; stopped, FULL_LOAD_ONLY_FINISHED, 100 %",
    "failed": "the task fails in the middle of the load",
    "low-memory": "the task stops in the middle, for want of memory",
    "missing-table": "the table does not exist on the source",
    "fewer-rows": "the table loses five rows on the way, and nobody says so",
    "lost-task": "the task is gone in the middle of the load",
    "endless-starting": "the task never gets beyond starting",
    "throttled": "every call after the start is refused with ThrottlingException",
    "connection": "the replication instance cannot connect to the target",
    "access-denied": "the credentials may not make a task",
    "wrong-state": "somebody is changing the task when it is to be started",
    "no-capacity": "a serverless replication fails while AWS provisions it",
    "suspended": "a validation can't compare three rows of the table",
    "slow-release": "a serverless replication can be deleted only when that was asked for twice",
    "forgotten": "AWS has taken back what a serverless replication ran on before anybody asked for its statistics",
}


class Fault(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Task:
    """A replication task. Times are the process's own; states that last are told from them."""

    RESOURCE, SETTINGS, RUNNING = "task", "ReplicationTaskSettings", ("starting", "running", "stopping")

    def __init__(self, request, simulator):
        self.simulator = simulator
        self.arn = f"{ACCOUNT}:{self.RESOURCE}:{uuid.uuid4().hex[:26].upper()}"
        self.request, self.made = request, time.time()
        self.status, self.reason, self.message = "creating", None, None
        self.load = self.began = self.ended = None
        self.percent = 0
        try:
            self.mapping = mapping.Mapping(request["TableMappings"])
        except (ValueError, KeyError) as error:
            raise Fault("InvalidParameterValueException", f"Invalid Table Mappings document: {error}")
        try:
            self.settings = json.loads(request.get(self.SETTINGS) or "{}")
        except ValueError:
            raise Fault("InvalidParameterValueException", "Invalid task settings JSON")

    def now(self):
        """Takes the steps that only need time."""
        if self.status == "creating" and time.time() - self.made > self.simulator.delay:
            self.status = "ready"
        return self.status

    def start(self):
        if self.simulator.fails("wrong-state"):
            self.status = "modifying"
        if self.now() not in ("ready", "stopped", "failed"):
            raise Fault("InvalidResourceStateFault", "Replication Task cannot be started, invalid state")
        self.status, self.began = "starting", time.time()
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self):
        if self.now() not in self.RUNNING[:-1]:
            raise Fault("InvalidResourceStateFault", "Replication task is not running")
        self.status = "stopping"
        if self.load:
            self.load.stopped.set()

    def _run(self):
        simulator = self.simulator
        if not self._prepared():
            return
        tables = [t for t in simulator.tables if not (simulator.fails("missing-table") and t.name == simulator.victim)]
        if simulator.fails("no-tables"):
            tables = []
        arguments = (self.mapping, self.settings, tables, simulator.target, simulator.seconds, simulator.hold)
        section = self.settings.get("ValidationSettings", {})
        if section.get("ValidationOnly") and section.get("EnableValidation"):
            self.load = validation.Validation(
                *arguments,
                task_name=self.arn.rpartition(":")[2],
                version=simulator.failure_version,
                on_result=self._on_result,
            )
        else:
            self.load = load.Load(*arguments)
        if simulator.fails("no-tables"):
            self.load.missing = []
        self.status = "running"
        self.load.run(self._on_table)
        self.ended = time.time()
        if self.status == "stopping":
            self.status, self.reason = "stopped", "Stop Reason NORMAL"
        elif self.status == "running":
            self.percent = 100
            self.status, self.reason = "stopped", FINISHED

    def _prepared(self):
        """Takes the steps before the load; false if it does not come to one."""
        time.sleep(self.simulator.delay)
        return not self.simulator.fails("endless-starting") and self.status == "starting"

    def _on_table(self, entry, rows, is_last):
        """Called before every transfer: breaks what is to be broken, and says what is sent."""
        simulator = self.simulator
        half = entry.rows * 2 >= entry.expected
        if entry.table != simulator.victim or not (half or is_last):
            return rows
        if simulator.fails("table-error"):
            raise load.TableError("broken on purpose")
        if simulator.fails("failed"):
            self.message = (
                "Last Error Task error notification received from subtask 1, thread 0 "
                "[reptask/replicationtask.c:2673] [1022502] ORA-01555: snapshot too old "
                "Stop Reason FATAL_ERROR Error Level FATAL"
            )
            self._break("failed", "Stop Reason FATAL_ERROR")
        if simulator.fails("low-memory"):
            self._break("stopped", "Stop Reason STOPPED_DUE_TO_LOW_MEMORY")
        if simulator.fails("lost-task"):
            simulator.tasks.pop(self.arn, None)
            simulator.replications.pop(self.arn, None)
            self._break("deleting", None)
        if simulator.fails("fewer-rows") and is_last:
            return rows[:-5]
        return rows

    def _on_result(self, entry):
        if self.simulator.fails("suspended") and entry.table == self.simulator.victim:
            entry.validation.update({"ValidationState": "Suspended records", "ValidationSuspendedRecords": 3})

    def _break(self, status, reason):
        self.status, self.reason = status, reason
        self.load.stopped.set()

    def described(self, with_settings=False):
        answer = {
            "ReplicationTaskIdentifier": self.request["ReplicationTaskIdentifier"],
            "ReplicationTaskArn": self.arn,
            "SourceEndpointArn": self.request["SourceEndpointArn"],
            "TargetEndpointArn": self.request["TargetEndpointArn"],
            "ReplicationInstanceArn": self.request["ReplicationInstanceArn"],
            "MigrationType": self.request["MigrationType"],
            "Status": self.now(),
            "ReplicationTaskCreationDate": self.made,
        }
        if self.reason:
            answer["StopReason"] = self.reason
        if self.message:
            answer["LastFailureMessage"] = self.message
        if with_settings:
            answer["TableMappings"] = self.request["TableMappings"]
            answer["ReplicationTaskSettings"] = self.request.get("ReplicationTaskSettings", "{}")
        if self.began:
            answer["ReplicationTaskStartDate"] = self.began
            answer["ReplicationTaskStats"] = self._counters()
        return answer

    def _counters(self):
        running = self.load
        counters = {
            "FullLoadProgressPercent": self.percent or (running.percent() if running else 0),
            "ElapsedTimeMillis": int(1000 * ((self.ended or time.time()) - self.began)),
            "TablesLoaded": running.count("Table completed") if running else 0,
            "TablesLoading": running.count("Full load") if running else 0,
            "TablesQueued": running.count("Before load") if running else 0,
            "TablesErrored": running.count("Table error") if running else 0,
            "FreshStartDate": self.began,
            "StartDate": self.began,
        }
        if self.ended:
            counters["StopDate"] = counters["FullLoadFinishDate"] = self.ended
        return counters


class Replication(Task):
    """A replication config of DMS Serverless, and its replication."""

    RESOURCE, SETTINGS = "replication-config", "ReplicationSettings"
    STEPS = (
        "initializing",
        "preparing_metadata_resources",
        "testing_connection",
        "fetching_metadata",
        "calculating_capacity",
        "provisioning_capacity",
        "replication_starting",
    )
    RUNNING = STEPS + ("running", "stopping")
    UNITS = (1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384)

    def __init__(self, request, simulator):
        compute = request["ComputeConfig"]
        most, fewest = compute.get("MaxCapacityUnits"), compute.get("MinCapacityUnits", 1)
        if most not in self.UNITS or fewest not in self.UNITS or fewest > most:
            raise Fault("InvalidParameterValueException", "Invalid DCU values")
        super().__init__(request, simulator)
        self.status, self.freed, self.was_asked_to_go = "created", None, False

    def now(self):
        return self.status

    def start(self):
        if self.simulator.fails("wrong-state"):
            self.status = "modifying"
        if self.status not in ("created", "stopped", "failed"):
            raise Fault("InvalidResourceStateFault", f"Replication can't be started in state {self.status}")
        self.status, self.began = self.STEPS[0], time.time()
        threading.Thread(target=self._run, daemon=True).start()

    def _prepared(self):
        for step in self.STEPS:
            if self.status not in self.STEPS:
                return False
            self.status = step
            time.sleep(self.simulator.delay / len(self.STEPS))
            if step == "testing_connection" and self.simulator.fails("connection"):
                return self._failed("Test connection failed for the target endpoint: FATAL: password authentication failed")
            if step == "provisioning_capacity" and self.simulator.fails("no-capacity"):
                return self._failed("The subnet group has no free addresses")
            while step == "replication_starting" and self.simulator.fails("endless-starting"):
                time.sleep(0.1)
        return True

    def _failed(self, message):
        self.status, self.reason, self.message = "failed", "Stop Reason FATAL_ERROR", message
        return False

    def provision_state(self):
        """What it ran on is taken back some time after its end."""
        if self.status not in ("stopped", "failed"):
            return "provisioned" if self.status == "running" else "provisioning"
        self.freed = self.freed or time.time() + 3 * self.simulator.delay
        return "deprovisioned" if time.time() >= self.freed or self.simulator.fails("forgotten") else "deprovisioning"

    def config(self):
        answer = {name: value for name, value in self.request.items() if name != "Tags"}
        return {**answer, "ReplicationConfigArn": self.arn, "ReplicationConfigCreateTime": self.made}

    def described(self, with_settings=False):
        answer = {
            "ReplicationConfigIdentifier": self.request["ReplicationConfigIdentifier"],
            "ReplicationConfigArn": self.arn,
            "SourceEndpointArn": self.request["SourceEndpointArn"],
            "TargetEndpointArn": self.request["TargetEndpointArn"],
            "ReplicationType": self.request["ReplicationType"],
            "Status": self.status,
            "ProvisionData": {"ProvisionState": self.provision_state(), "ProvisionedCapacityUnits": 1},
            "ReplicationCreateTime": self.made,
        }
        if self.reason:
            answer["StopReason"] = self.reason
        if self.message:
            answer["FailureMessages"] = [self.message]
        if self.began:
            answer["ReplicationStats"] = self._counters()
        return answer


class Simulator:
    def __init__(self, options):
        self.tables = oracle.read(options.source)
        if not self.tables:
            raise SystemExit(f"there is no SCHEMA/TABLE.csv below {options.source}")
        self.target = load.Target(options.psql, options.database)
        self.seconds, self.delay, self.page_size = options.seconds, options.delay, options.page_size
        self.hold, self.failure_version = options.hold, options.failure_version
        kind, _, victim = (options.fail or "").partition("@")
        if kind and kind not in FAILURES:
            raise SystemExit(f"unknown failure {kind}; there are: {', '.join(FAILURES)}")
        self.failure, self.victim = kind, victim or self.tables[-1].name
        self.throttles = options.throttle
        self.tasks, self.replications, self.connections, self.was_started = {}, {}, {}, False
        self.journal = open(options.journal, "a", encoding="utf-8") if options.journal else None
        self.lock = threading.RLock()

    def fails(self, kind):
        return self.failure == kind

    def answer(self, operation, request):
        with self.lock:
            answer, code = None, "OK"
            try:
                if self.was_started and (self.throttles > 0 or self.fails("throttled")):
                    self.throttles -= 1
                    raise Fault("ThrottlingException", "Rate exceeded")
                method = getattr(self, operation, None)
                if method is None:
                    raise Fault("UnknownOperationException", operation)
                answer = method(request)
            except Fault as fault:
                code, answer = fault.code, {"__type": fault.code, "message": str(fault)}
            if self.journal:
                print(json.dumps({"call": operation, "answer": code, "request": request}), file=self.journal, flush=True)
            return code == "OK", answer

    # The operations of the API, by their names there.

    def TestConnection(self, request):
        key = (request["ReplicationInstanceArn"], request["EndpointArn"])
        is_bad = self.fails("connection") and "target" in key[1].lower()
        self.connections[key] = {
            "ReplicationInstanceArn": key[0],
            "EndpointArn": key[1],
            "Status": "testing",
            "EndpointIdentifier": key[1].rsplit(":", 1)[1].lower(),
            "ReplicationInstanceIdentifier": key[0].rsplit(":", 1)[1].lower(),
            "result": "failed" if is_bad else "successful",
            "until": time.time() + self.delay,
        }
        return {"Connection": self._connection(key)}

    def DescribeConnections(self, request):
        endpoints = self._filter(request, "endpoint-arn")
        keys = [key for key in self.connections if endpoints is None or key[1] in endpoints]
        if endpoints is not None and not keys:
            return {"Connections": []}
        return self._page(request, "Connections", [self._connection(key) for key in keys])

    def CreateReplicationTask(self, request):
        if self.fails("access-denied"):
            raise Fault("AccessDeniedFault", "User: x is not authorized to perform: dms:CreateReplicationTask")
        for endpoint in ("SourceEndpointArn", "TargetEndpointArn"):
            key = (request["ReplicationInstanceArn"], request[endpoint])
            if key not in self.connections or self._connection(key)["Status"] != "successful":
                raise Fault("InvalidResourceStateFault", f"Test connection for {request[endpoint]} should be successful")
        names = [task.request["ReplicationTaskIdentifier"].lower() for task in self.tasks.values()]
        if request["ReplicationTaskIdentifier"].lower() in names:
            raise Fault("ResourceAlreadyExistsFault", "The resource you are attempting to create already exists.")
        task = Task(request, self)
        self.tasks[task.arn] = task
        return {"ReplicationTask": task.described()}

    def DescribeReplicationTasks(self, request):
        arns, names = self._filter(request, "replication-task-arn"), self._filter(request, "replication-task-id")
        found = [
            task
            for task in self.tasks.values()
            if (arns is None or task.arn in arns)
            and (names is None or task.request["ReplicationTaskIdentifier"] in names)
        ]
        if not found and (arns or names):
            raise Fault("ResourceNotFoundFault", "No Tasks found matching:")
        with_settings = not request.get("WithoutSettings", False)
        return self._page(request, "ReplicationTasks", [task.described(with_settings) for task in found])

    def StartReplicationTask(self, request):
        task = self._task(request)
        if request["StartReplicationTaskType"] != "start-replication" and not task.began:
            raise Fault("InvalidParameterCombinationException", "Start Type : valid only for tasks running before")
        task.start()
        self.was_started = True
        return {"ReplicationTask": task.described()}

    def StopReplicationTask(self, request):
        task = self._task(request)
        task.stop()
        return {"ReplicationTask": task.described()}

    def DeleteReplicationTask(self, request):
        task = self._task(request)
        if task.now() in ("starting", "running", "stopping"):
            raise Fault("InvalidResourceStateFault", "Replication task can't be deleted while it is running")
        task.status = "deleting"
        threading.Timer(self.delay, lambda: self.tasks.pop(task.arn, None)).start()
        return {"ReplicationTask": task.described()}

    def DescribeTableStatistics(self, request):
        task = self._task(request)
        entries = task.load.statistics() if task.load else []
        answer = self._page(request, "TableStatistics", entries)
        return {"ReplicationTaskArn": task.arn, **answer}

    def ListTagsForResource(self, request):
        arns = request.get("ResourceArnList") or [request["ResourceArn"]]
        tags = [
            {"Key": tag["Key"], "Value": tag["Value"], "ResourceArn": arn}
            for arn in arns
            if arn in self.tasks or arn in self.replications
            for tag in (self.tasks.get(arn) or self.replications[arn]).request.get("Tags", [])
        ]
        return {"TagList": tags}

    # DMS Serverless.

    def CreateReplicationConfig(self, request):
        if self.fails("access-denied"):
            raise Fault("AccessDeniedFault", "User: x is not authorized to perform: dms:CreateReplicationConfig")
        names = [entry.request["ReplicationConfigIdentifier"].lower() for entry in self.replications.values()]
        if request["ReplicationConfigIdentifier"].lower() in names:
            raise Fault("ResourceAlreadyExistsFault", "The resource you are attempting to create already exists.")
        replication = Replication(request, self)
        self.replications[replication.arn] = replication
        return {"ReplicationConfig": replication.config()}

    def DescribeReplicationConfigs(self, request):
        found = self._replications(request)
        return self._page(request, "ReplicationConfigs", [entry.config() for entry in found])

    def DescribeReplications(self, request):
        found = self._replications(request)
        return self._page(request, "Replications", [entry.described() for entry in found])

    def StartReplication(self, request):
        replication = self._replication(request)
        if request["StartReplicationType"] != "start-replication" and not replication.began:
            raise Fault("InvalidParameterCombinationException", "Start Type : valid only for replications run before")
        replication.start()
        self.was_started = True
        return {"Replication": replication.described()}

    def StopReplication(self, request):
        replication = self._replication(request)
        replication.stop()
        return {"Replication": replication.described()}

    def DeleteReplicationConfig(self, request):
        replication = self._replication(request)
        is_held = self.fails("slow-release") and replication.began and not replication.was_asked_to_go
        replication.was_asked_to_go = True
        if replication.status in replication.RUNNING or is_held:
            raise Fault("InvalidResourceStateFault", "Replication is not in a state in which its config can be deleted")
        del self.replications[replication.arn]
        return {"ReplicationConfig": replication.config()}

    def DescribeReplicationTableStatistics(self, request):
        replication = self._replication(request)
        if self.fails("forgotten") and replication.provision_state() == "deprovisioned":
            raise Fault("InvalidResourceStateFault", "Replication is deprovisioned")
        entries = replication.load.statistics() if replication.load else []
        answer = self._page(request, "ReplicationTableStatistics", entries)
        return {"ReplicationConfigArn": replication.arn, **answer}

    def _replication(self, request):
        replication = self.replications.get(request["ReplicationConfigArn"])
        if replication is None:
            raise Fault("ResourceNotFoundFault", "Replication config could not be found.")
        return replication

    def _replications(self, request):
        arns, names = self._filter(request, "replication-config-arn"), self._filter(request, "replication-config-id")
        found = [
            entry
            for entry in self.replications.values()
            if (arns is None or entry.arn in arns)
            and (names is None or entry.request["ReplicationConfigIdentifier"] in names)
        ]
        if not found and (arns or names):
            raise Fault("ResourceNotFoundFault", "No replication configs found matching:")
        return found

    def _task(self, request):
        task = self.tasks.get(request["ReplicationTaskArn"])
        if task is None:
            raise Fault("ResourceNotFoundFault", "Replication task could not be found.")
        return task

    def _connection(self, key):
        entry = self.connections[key]
        if entry["Status"] == "testing" and time.time() >= entry["until"]:
            entry["Status"] = entry["result"]
            if entry["result"] == "failed":
                entry["LastFailureMessage"] = "Test Endpoint failed: FATAL: password authentication failed"
        return {name: value for name, value in entry.items() if name not in ("result", "until")}

    @staticmethod
    def _filter(request, name):
        return next((entry["Values"] for entry in request.get("Filters") or [] if entry["Name"] == name), None)

    def _page(self, request, name, entries):
        size = self.page_size or request.get("MaxRecords") or 100
        start = int(request.get("Marker") or 0)
        answer = {name: entries[start : start + size]}
        if start + size < len(entries):
            answer["Marker"] = str(start + size)
        return answer


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    simulator = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        operation = (self.headers.get("X-Amz-Target") or "").rpartition(".")[2]
        is_good, answer = self.simulator.answer(operation, json.loads(body or b"{}"))
        data = json.dumps(answer).encode()
        self.send_response(200 if is_good else 400)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def end_with_parent():
    """So that a test that is killed leaves no server behind."""
    # Whoever starts us from a thread that leaves signals to others has us inherit that.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    parent = os.getppid()

    def watch():
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def main():
    parser = argparse.ArgumentParser(
        description="AWS DMS on loopback, for trying and testing.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="failures, for --fail KIND or KIND@TABLE:\n" + "\n".join(f"  {k:18}{v}" for k, v in FAILURES.items()),
    )
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--source", default=os.path.join(here, "../../Fixtures/dms/oracle"), help="SCHEMA/TABLE.csv")
    parser.add_argument("--database", default=os.environ.get("DATABASE_URL"), help="the target, for psql (DATABASE_URL)")
    parser.add_argument("--psql", default="psql")
    parser.add_argument("--port", type=int, default=4566, help="0 for any free one")
    parser.add_argument("--seconds", type=float, default=5, help="how long the load of a table takes")
    parser.add_argument("--hold", metavar="FILE", help="every load stands still behind its first rows while FILE is there")
    parser.add_argument("--delay", type=float, default=1, help="how long states last that pass by themselves")
    parser.add_argument("--page-size", type=int, help="entries to a page, whatever was asked for")
    parser.add_argument("--throttle", type=int, default=0, metavar="N", help="refuse N calls after the start")
    parser.add_argument("--failure-version", type=int, default=2, metavar="N", help="the form of validation's table: 1 or 2")
    parser.add_argument("--fail", metavar="KIND[@TABLE]")
    parser.add_argument("--journal", help="a file that gets a line for every call")
    parser.add_argument("--end-with-parent", action="store_true")
    options = parser.parse_args()
    if not options.database:
        parser.error("no target: --database or DATABASE_URL")
    Handler.simulator = Simulator(options)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    server.daemon_threads = True
    if options.end_with_parent:
        end_with_parent()
    print(f"DMS simulator: http://127.0.0.1:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
