import MergeEngine
import TestSupport
import Testing

/// What happens to commands that only look when somebody asks to stop.
@Suite struct StopTests {
  @Test func `a request to stop ends plan and verify as ABORTED`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t SELECT n, 1 FROM generate_series(1, 1000) n")
      let holder = try database.connect()
      for isPlan in [true, false] {
        try holder.run("BEGIN; LOCK TABLE staging.t IN ACCESS EXCLUSIVE MODE")
        let stop = StopSignal()
        let target = database.target
        let status = Task {
          try await onItsOwnThread {
            isPlan
              ? try DryRun(target: target, options: MergeOptions(), logger: .silent, stop: stop).run().status.rawValue
              : try Verification(target: target, options: VerifyOptions(), logger: .silent, stop: stop).run().status
                .rawValue
          }
        }
        try await database.waitForBlockedSessions()
        stop.request(signal: 2)
        #expect(try await status.value == "ABORTED")
        try holder.run("COMMIT")
      }
    }
  }

  /// Each waits for what another one has taken.
  @Test(arguments: [2, 4]) func `no worker of a verification waits for one that has stopped`(workers: Int) async throws
  {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging; CREATE TYPE public.x AS (a int); CREATE TYPE public.y AS (a int);
        CREATE FUNCTION public.slowly(public.y) RETURNS public.x LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_sleep(0.02); RETURN row($1.a)::public.x; END $$;
        CREATE CAST (public.y AS public.x) WITH FUNCTION public.slowly(public.y) AS ASSIGNMENT;
        CREATE TABLE production.t (k int PRIMARY KEY, v public.x, updated_at int);
        CREATE TABLE staging.t (k int, v public.y, updated_at int);
        INSERT INTO staging.t SELECT n, row(1)::public.y, 1 FROM generate_series(1, 300) AS n;
        INSERT INTO production.t SELECT n, row(1)::public.x, 1 FROM generate_series(1, 300) AS n;
        """
      )
      var options = VerifyOptions()
      options.mark = MergeOptions.Mark.none
      options.merge.workers = workers
      let (stop, target, chosen) = (StopSignal(), database.target, options)
      let status = Task {
        try await onItsOwnThread {
          try Verification(target: target, options: chosen, logger: .silent, stop: stop).run().status
        }
      }
      try await database.wait(
        for:
          "EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'merge-engine verify worker%' AND query LIKE '%COPY%')"
      )
      stop.request(signal: 2)
      #expect(try await status.value == .aborted)
    }
  }
}
