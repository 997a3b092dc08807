import TestSupport
import Testing

/// What the server would refuse whatever the rows are is said before anything is written, by `plan` and `merge` alike, with
/// the statement that mends it, and the statement does.
@Suite struct ForeseenTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// `%` is the role that merges, which owns nothing.
    let sql: String
    let message: [String]
    /// Mends it; nil for the statement behind the last `: ` of the message.
    var remedy: String?
    var arguments: [String] = []
  }

  @Test(arguments: [
    Case(
      testDescription: "policies of production",
      sql: "ALTER TABLE production.items ENABLE ROW LEVEL SECURITY",
      message: ["items: row-level security on production.items applies to the role", "BYPASSRLS"]
    ),
    Case(
      testDescription: "policies of staging",
      sql: "ALTER TABLE staging.items ENABLE ROW LEVEL SECURITY; CREATE POLICY all_rows ON staging.items USING (true)",
      message: ["items: row-level security on staging.items applies to the role", "BYPASSRLS"]
    ),
    Case(
      testDescription: "policies of the run's record",
      sql: "ALTER TABLE admin.merge_summary ENABLE ROW LEVEL SECURITY",
      message: ["row-level security on admin.merge_summary applies to the role"]
    ),
    Case(
      testDescription: "a rule on INSERT",
      sql: "CREATE RULE also AS ON INSERT TO production.items DO ALSO NOTIFY items",
      message: ["items: the rule also rewrites every INSERT on production.items", "DISABLE RULE \"also\""]
    ),
    Case(
      testDescription: "a rule on UPDATE",
      sql: "CREATE RULE instead AS ON UPDATE TO production.items DO INSTEAD NOTHING",
      message: ["items: the rule instead rewrites every UPDATE on production.items", "DROP RULE"]
    ),
    Case(
      testDescription: "a rule on UPDATE of staging, whose status is kept",
      sql: "CREATE RULE kept AS ON UPDATE TO staging.items DO INSTEAD NOTHING",
      message: ["items: the rule kept rewrites every UPDATE on staging.items"]
    ),
    Case(
      testDescription: "a table that inherits from staging",
      sql: "CREATE TABLE staging.more () INHERITS (staging.items); GRANT SELECT ON staging.more TO %",
      message: ["items: rows of tables that inherit from staging.items are read with its own"]
    ),
    Case(
      testDescription: "a key that is in production and in a table that inherits from it",
      sql: """
        CREATE TABLE production.older () INHERITS (production.items); INSERT INTO production.older VALUES (1, 'older', '2024-01-01');
        INSERT INTO production.older VALUES (7, 'nobody asks', '2024-01-01'), (7, 'nobody asks', '2024-01-01')
        """,
      message: ["items: a key is in production.items and in tables that inherit from it, such as {\"id\": 1}"],
      remedy: "DROP TABLE production.older"
    ),
    Case(
      testDescription: "a database whose sessions only read",
      sql: "ALTER ROLE % SET default_transaction_read_only = on",
      message: ["the session is read-only"],
      remedy: "ALTER ROLE % RESET default_transaction_read_only"
    ),
    Case(
      testDescription: "production without replica identity in a publication",
      sql: "ALTER TABLE production.items REPLICA IDENTITY NOTHING; CREATE PUBLICATION everything FOR ALL TABLES",
      message: ["updating production.items would be refused", "55000", "REPLICA IDENTITY DEFAULT"]
    ),
    Case(
      testDescription: "a partition without replica identity in a publication",
      sql: """
        DROP TABLE production.items;
        CREATE TABLE production.items (id integer PRIMARY KEY, name text, updated_at timestamp) PARTITION BY RANGE (id);
        CREATE TABLE production.items_1 PARTITION OF production.items FOR VALUES FROM (0) TO (100);
        CREATE TABLE production.items_2 PARTITION OF production.items FOR VALUES FROM (100) TO (200);
        GRANT SELECT, INSERT, UPDATE ON production.items TO %;
        ALTER TABLE production.items_2 REPLICA IDENTITY NOTHING;
        CREATE PUBLICATION everything FOR TABLE production.items;
        """,
      message: ["updating production.items would be refused", "\"production\".\"items_2\" REPLICA IDENTITY DEFAULT"]
    ),
    Case(
      testDescription: "a publication of some rows, told apart by another column than the key",
      sql: "CREATE PUBLICATION part FOR TABLE production.items WHERE (name <> 'secret')",
      message: ["updating production.items would be refused", "publication \"part\"", "REPLICA IDENTITY FULL"]
    ),
    Case(
      testDescription: "a publication of some columns, the key not among them",
      sql: "CREATE PUBLICATION part FOR TABLE production.items (name)",
      message: ["updating production.items would be refused", "ADD TABLE \"production\".\"items\" (id, name)"]
    ),
    Case(
      testDescription: "staging without a key in a publication",
      sql: "ALTER TABLE staging.items DROP CONSTRAINT items_pkey; CREATE PUBLICATION everything FOR ALL TABLES",
      message: ["marking rows of staging.items would be refused", "\"staging\".\"items\" REPLICA IDENTITY FULL"]
    ),
    Case(
      testDescription: "an event trigger that refuses temporary tables",
      sql: """
        CREATE FUNCTION public.no_tables() RETURNS event_trigger LANGUAGE plpgsql
        AS $$ BEGIN IF tg_tag = 'CREATE TABLE AS' THEN RAISE EXCEPTION 'tables come from the DBA'; END IF; END $$;
        CREATE EVENT TRIGGER guard ON ddl_command_start EXECUTE FUNCTION public.no_tables();
        """,
      message: ["tables come from the DBA", "ALTER EVENT TRIGGER \"guard\" DISABLE"]
    ),
    Case(
      testDescription: "the sequence of a default",
      sql: "ALTER TABLE production.items ADD COLUMN n bigserial",
      message: ["lacks USAGE on the sequence production.items_n_seq (default of n)"],
      remedy: "GRANT USAGE ON SEQUENCE production.items_n_seq TO %"
    ),
    Case(
      testDescription: "the function of a default",
      sql: """
        CREATE FUNCTION public.stamp() RETURNS text LANGUAGE sql STABLE AS 'SELECT ''x''';
        REVOKE EXECUTE ON FUNCTION public.stamp() FROM public;
        ALTER TABLE production.items ADD COLUMN stamped text DEFAULT public.stamp();
        """,
      message: ["lacks EXECUTE on the function stamp() (default of stamped)"],
      remedy: "GRANT EXECUTE ON FUNCTION public.stamp() TO %"
    ),
    Case(
      testDescription: "the function of a check",
      sql: """
        CREATE FUNCTION public.is_fine(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
        REVOKE EXECUTE ON FUNCTION public.is_fine(text) FROM public;
        ALTER TABLE production.items ADD CONSTRAINT fine CHECK (public.is_fine(name));
        """,
      message: ["lacks EXECUTE on the function is_fine(text) (check fine)"],
      remedy: "GRANT EXECUTE ON FUNCTION public.is_fine(text) TO %"
    ),
    Case(
      testDescription: "the function of an index",
      sql: """
        CREATE FUNCTION public.folded(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
        REVOKE EXECUTE ON FUNCTION public.folded(text) FROM public;
        CREATE INDEX by_folded ON production.items (public.folded(name));
        """,
      message: ["lacks EXECUTE on the function folded(text) (index by_folded)"],
      remedy: "GRANT EXECUTE ON FUNCTION public.folded(text) TO %"
    ),
    Case(
      testDescription: "a right of the owner of a parent",
      sql: """
        CREATE TABLE production.parents (id int PRIMARY KEY);
        INSERT INTO production.parents VALUES (1), (2);
        ALTER TABLE production.items ADD FOREIGN KEY (id) REFERENCES production.parents;
        ALTER TABLE production.parents OWNER TO %;
        REVOKE UPDATE ON production.parents FROM %;
        """,
      message: ["checked with the rights of its owner", "who lacks UPDATE ON production.parents"]
    ),
    Case(
      testDescription: "a right on one column",
      sql: "REVOKE UPDATE ON production.items FROM %; GRANT UPDATE (updated_at) ON production.items TO %",
      message: ["lacks UPDATE (name) on production.items"],
      remedy: "GRANT UPDATE (name) ON production.items TO %"
    ),
    Case(
      testDescription: "the right to read all of staging",
      sql: "REVOKE SELECT ON staging.items FROM %; GRANT SELECT (id, name, updated_at) ON staging.items TO %",
      message: ["lacks SELECT on staging.items"],
      remedy: "GRANT SELECT ON staging.items TO %"
    ),
  ])
  func `blocks plan and merge`(_ case: Case) async throws {
    try await TestDatabase.with { database async throws in
      let role = try await make(database)
      try database.run(`case`.sql.replacing("%", with: role))
      let before = try database.contents()
      for command in [["plan"], ["merge"]] {
        let outcome = try await call(database, role, command + `case`.arguments)
        #expect(outcome.status == 73, "\(command): \(outcome.everything)")
        for part in `case`.message {
          #expect(outcome.everything.contains(part), "\(command): \(outcome.everything)")
        }
      }
      #expect(try database.contents() == before)
      let merge = try await call(database, role, ["merge"] + `case`.arguments)
      let line = merge.errors.split(separator: "\n").first { $0.contains(`case`.message[0]) }
      let statement = try `case`.remedy ?? String(#require(line?.behindLast(": ")))
      try database.run(statement.replacing("%", with: role))
      let mended = try await call(database, role, ["merge"] + `case`.arguments)
      #expect(mended.status == 0, "\(statement): \(mended.everything)")
      #expect(try database.rows("SELECT id, name FROM production.items ORDER BY id") == ["(1,new)", "(2,new)"])
      try database.run("DROP OWNED BY \(role) CASCADE; DROP ROLE \(role)")
    }
  }

  @Test func `owners without FORCE, and roles that bypass it, are free of row-level security`() async throws {
    try await TestDatabase.with { database async throws in
      let role = try await make(database)
      try database.run(
        """
        GRANT CREATE ON SCHEMA production TO \(role);
        ALTER TABLE production.items OWNER TO \(role); ALTER TABLE production.items ENABLE ROW LEVEL SECURITY;
        """
      )
      #expect(try await call(database, role, ["plan"]).status == 0)
      try database.run("ALTER TABLE production.items FORCE ROW LEVEL SECURITY")
      let forced = try await call(database, role, ["plan"])
      #expect(forced.status == 73)
      #expect(forced.everything.contains("NO FORCE ROW LEVEL SECURITY"))
      try database.run("ALTER ROLE \(role) BYPASSRLS")
      #expect(try await call(database, role, ["merge"]).status == 0)
      try database.run("DROP OWNED BY \(role) CASCADE; DROP ROLE \(role)")
    }
  }

  @Test func `a table that can't be merged and has no rows in staging stands in nobody's way`() async throws {
    try await TestDatabase.with { database async throws in
      let role = try await make(database)
      try database.run(
        """
        CREATE TABLE production.keyless (id integer, updated_at timestamp);
        CREATE TABLE staging.keyless (id integer, updated_at timestamp);
        CREATE TABLE production.ruled (id integer PRIMARY KEY, updated_at timestamp);
        CREATE TABLE staging.ruled (id integer, updated_at timestamp);
        CREATE RULE also AS ON INSERT TO production.ruled DO ALSO NOTIFY ruled;
        GRANT SELECT ON staging.keyless, staging.ruled, production.keyless, production.ruled TO \(role);
        GRANT INSERT, UPDATE ON production.ruled TO \(role);
        """
      )
      for command in ["plan", "merge"] {
        let outcome = try await call(database, role, [command, "--json"])
        #expect(outcome.status == 0, "\(outcome.everything)")
        #expect(outcome.everything.contains("production.keyless has no primary key"))
        #expect(outcome.everything.contains("the rule also rewrites"))
        #expect(try outcome.json()["tables"].elements.compactMap { $0["table"].text } == ["items"])
      }
      try database.run("INSERT INTO staging.ruled VALUES (1, now())")
      let blocked = try await call(database, role, ["merge"])
      #expect(blocked.status == 73)
      #expect(blocked.errors.contains("--table items"))
      #expect(!blocked.errors.contains("--table keyless"))
      #expect(try await call(database, role, ["merge", "--table", "items"]).status == 0)
      try database.run("DROP OWNED BY \(role); DROP ROLE \(role)")
    }
  }

  @Test func `a publication FOR ALL TABLES stops neither a merge with before-images nor its rollback nor a replay`()
    async throws
  {
    try await TestDatabase.with { database async throws in
      _ = try await make(database)
      try database.run("CREATE PUBLICATION everything FOR ALL TABLES")
      try database.run("ALTER TABLE staging.items DROP COLUMN _dms_processing_status")
      let folder = try SnapshotFolder()
      #expect(try await database.call("snapshot", "save", folder.path).status == 0)
      let merge = try await database.call("--before-images")
      #expect(merge.status == 0, "\(merge.everything)")
      let rollback = try await database.call("rollback", "1")
      #expect(rollback.status == 0, "\(rollback.everything)")
      let replay = try await database.call("replay", folder.path)
      #expect(replay.status == 0, "\(replay.everything)")
      #expect(try database.rows("SELECT id, name FROM production.items ORDER BY id") == ["(1,new)", "(2,new)"])
    }
  }

  @Test func `what is locked while a merge is prepared is waited for, and then named`() async throws {
    try await TestDatabase.with(in: .sleeping) { database async throws in
      _ = try await make(database)
      let other = try database.connect()
      try other.run("BEGIN; LOCK TABLE staging.items IN ACCESS EXCLUSIVE MODE")
      let refused = try await database.call("--lock-timeout", "1")
      #expect(refused.status == 73)
      #expect(refused.errors.contains("has locked staging.items (AccessExclusiveLock)"))
      #expect(refused.errors.contains("SELECT pg_terminate_backend("))
      let patient = try database.launch(["--lock-timeout", "3000"])
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      try other.run("COMMIT")
      #expect(try await patient.outcome().status == 0)
    }
  }

  /// One table with rows, its admin tables, and a role that may merge it.
  private func make(_ database: TestDatabase) async throws -> String {
    let role = "\"merger_\(database.name.suffix(8))\""
    try database.run(
      """
      CREATE SCHEMA production; CREATE SCHEMA staging;
      CREATE TABLE production.items (id integer PRIMARY KEY, name text, updated_at timestamp);
      CREATE TABLE staging.items (id integer PRIMARY KEY, name text, updated_at timestamp,
                                  _dms_processing_status varchar(20) DEFAULT 'NEW');
      INSERT INTO production.items VALUES (1, 'old', '2025-01-01');
      INSERT INTO staging.items VALUES (1, 'new', '2025-01-02'), (2, 'new', '2025-01-02');
      CREATE ROLE \(role) LOGIN;
      """
    )
    #expect(try await database.call("init").status == 0)
    let grants = try await database.call("init", "--print-grants", String(role.dropFirst().dropLast()))
    try database.run(grants.output)
    return role
  }

  private func call(_ database: TestDatabase, _ role: String, _ arguments: [String]) async throws
    -> CommandLineProgram.Outcome
  {
    let name = String(role.dropFirst().dropLast())
    return try await CommandLineProgram.run(arguments + ["--database", database.connectionString(role: name)])
  }
}

extension Substring {
  /// What stands behind the last occurrence of `separator`.
  fileprivate func behindLast(_ separator: String) -> Substring? {
    ranges(of: separator).last.map { self[$0.upperBound...] }
  }
}
