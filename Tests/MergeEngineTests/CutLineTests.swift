import Foundation
import Libpq
import MergeEngine
import PrivateCluster
import TestSupport
import Testing

/// Lines that break at a chosen byte, and lines on which nothing gets through any more.
@Suite struct CutLineTests {
  private static let columns = "id int, updated_at int, v text"

  /// A server of its own behind a proxy: `body` gets a direct look into it, and the proxied way there.
  private func withProxy(_ body: (TestDatabase, CuttingProxy, ConnectionTarget) async throws -> Void) async throws {
    try await TestServer.withOwn(in: .sleeping) { cluster in
      let database = try TestDatabase(connectionString: cluster.connectionString())
      let proxy = try CuttingProxy(serverPort: cluster.port)
      defer { proxy.close() }
      try await body(database, proxy, ConnectionTarget(TestServer.connectionString(through: proxy)))
    }
  }

  private func start(_ target: ConnectionTarget, _ change: (inout MergeOptions) -> Void) -> TestDatabase.RunningMerge {
    var options = MergeOptions()
    change(&options)
    var patient = MergeRun(target: target, options: options, logger: .silent)
    patient.silenceGraceSeconds = 0.5
    let run = patient
    return TestDatabase.RunningMerge(
      report: Task { try await onItsOwnThread { try run.run() } },
      adminSchema: options.schemas.admin
    )
  }

  /// Staging has rows 1 to 2000 of version 5, production every other one of version 1.
  private func fill(_ database: TestDatabase) throws {
    try database.makePair(production: Self.columns + ", PRIMARY KEY (id)", staging: Self.columns)
    try database.run(
      """
      INSERT INTO staging.t SELECT n, 5, 's-' || n || '-' || repeat('x', 100) FROM generate_series(1, 2000) n;
      INSERT INTO production.t SELECT n, 1, 'p' FROM generate_series(1, 2000) n WHERE n % 2 = 1;
      """
    )
  }

  private func expectEverythingMerged(_ report: RunReport, _ database: TestDatabase) throws {
    #expect(report.status == .success, "\(report.failures)")
    #expect(report.totals.read == 2000)
    #expect(report.totals.inserted == 1000 && report.totals.updated == 1000)
    #expect(try database.difference("SELECT id, updated_at, v FROM staging.t", "TABLE production.t") == [])
    #expect(try database.count("SELECT count(*) FROM staging.t WHERE _dms_processing_status <> 'PROCESSED'") == 0)
  }

  /// Row 1999 is in one of the last batches.
  @Test(arguments: [
    CuttingProxy.Cut.behind("s-1999-xx", fromClient: false), .behind("s-1999-xx", fromClient: true),
    .whenClientSends("COMMIT"),
  ])
  func `a line that breaks in the middle of COPY data, out or in, or before a commit costs no row`(
    _ cut: CuttingProxy.Cut
  ) async throws {
    try await withProxy { database, proxy, target in
      try fill(database)
      try database.letBatchesWait()
      let cdc = try database.connect()
      try cdc.run("BEGIN; SELECT FROM production.t WHERE id = 1001 FOR UPDATE")
      let merge = start(target) {
        $0.maxLockMilliseconds = 60_000
        $0.batchRows = 300
        $0.workers = 1
      }
      try await database.waitForBlockedWorker()
      proxy.arm(cut)
      try cdc.run("COMMIT")
      let report = try await database.finish(merge)
      #expect(proxy.hasCut)
      try expectEverythingMerged(report, database)
    }
  }

  @Test func `a line that breaks while a batch is rolled back is made again`() async throws {
    try await withProxy { database, proxy, target in
      try fill(database)
      proxy.arm(.whenClientSends("ROLLBACK"))
      try database.run(
        """
        CREATE SEQUENCE public.once;
        CREATE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF nextval('public.once') = 1 THEN RAISE 'not now' USING ERRCODE = 'serialization_failure'; END IF;
          RETURN NULL;
        END $$;
        CREATE TRIGGER collide BEFORE UPDATE ON production.t FOR EACH STATEMENT EXECUTE FUNCTION collide();
        """
      )
      let report = try await database.finish(start(target) { $0.batchRows = 600 })
      #expect(proxy.hasCut)
      try expectEverythingMerged(report, database)
    }
  }

  @Test func `the server looks after its side of the line, in the middle of a statement too`() async throws {
    try await withProxy { database, _, target in
      try fill(database)
      try database.run(
        """
        CREATE TABLE public.seen (name text, setting text);
        CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO public.seen SELECT name, setting FROM pg_settings; RETURN NULL; END $$;
        CREATE TRIGGER look AFTER UPDATE ON production.t FOR EACH STATEMENT EXECUTE FUNCTION look();
        """
      )
      try expectEverythingMerged(try await database.finish(start(target) { $0.workers = 1 }), database)
      #expect(
        try database.rows(
          "SELECT DISTINCT name, setting FROM public.seen WHERE name ~ '^(client_conn|tcp_keep)' ORDER BY 1"
        ) == [
          "(client_connection_check_interval,10000)", "(tcp_keepalives_count,2)", "(tcp_keepalives_idle,10)",
          "(tcp_keepalives_interval,5)",
        ]
      )
    }
  }

  /// The server's sessions live on: they hold the locks of the run, and the rows of its batch.
  @Test func `sessions that a split network has left behind are ended, and the run goes on`() async throws {
    try await withProxy { database, proxy, target in
      try fill(database)
      let cdc = try database.connect()
      try cdc.run("BEGIN; SELECT FROM production.t WHERE id = 1001 FOR UPDATE")
      let merge = start(target) {
        $0.batchRows = 300
        $0.workers = 1
        $0.statementTimeoutMilliseconds = 1500
        $0.lockTimeoutMilliseconds = 500
      }
      try await database.waitForBlockedWorker()
      proxy.freezeAll()
      try cdc.run("COMMIT")
      try expectEverythingMerged(try await database.finish(merge), database)
    }
  }
}
