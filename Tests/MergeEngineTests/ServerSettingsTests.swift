import TestSupport
import Testing

/// What a database has set for itself, and what its owner has forbidden, decides nothing about rows that it takes.
@Suite struct ServerSettingsTests {
  @Test func `pieces of XML are merged where whole documents are the default`() async throws {
    try await TestDatabase.with { database in
      guard try database.hasXML() else { return }
      try database.run(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET xmloption = document', current_database()); END $$"
      )
      try database.makePair(
        production: "id int PRIMARY KEY, x xml, updated_at int",
        staging: "id int, x xml, updated_at int"
      )
      try database.run(
        """
        INSERT INTO production.t VALUES (1, xmlparse(CONTENT '<a>x</a>b'), 1);
        INSERT INTO staging.t VALUES (1, xmlparse(CONTENT 'a<b/>'), 2), (2, xmlparse(CONTENT 'plain'), 2);
        """
      )
      let (plan, merge) = try await database.planAndMerge()
      #expect(plan.totals.errors == 0 && merge.totals.inserted == 1 && merge.totals.updated == 1)
      #expect(try database.rows("SELECT id, x::text FROM production.t ORDER BY 1") == ["(1,a<b/>)", "(2,plain)"])
      let folder = try SnapshotFolder()
      #expect(try await database.call("snapshot", "save", folder.path).status == 0)
      try database.run("TRUNCATE production.t")
      let replay = try await database.call("replay", folder.path)
      #expect(replay.status == 0, "\(replay.transcript)")
      #expect(try database.rows("SELECT id, x::text FROM production.t ORDER BY 1") == ["(1,a<b/>)", "(2,plain)"])
    }
  }

  @Test func `an event trigger that refuses tables is named before anything is made`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: "id int PRIMARY KEY, updated_at int", staging: "id int, updated_at int")
      try database.run(
        """
        INSERT INTO staging.t VALUES (1, 1);
        CREATE FUNCTION public.no_tables() RETURNS event_trigger LANGUAGE plpgsql
        AS $$ BEGIN IF tg_tag = 'CREATE TABLE' THEN RAISE EXCEPTION 'tables come from the DBA'; END IF; END $$;
        CREATE EVENT TRIGGER guard ON ddl_command_start WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.no_tables();
        """
      )
      for command in ["plan", "merge"] {
        let outcome = try await database.call(command)
        #expect(outcome.status == 73, "\(outcome.transcript)")
        for words in [
          "the server would refuse a merge's admin schema: tables come from the DBA",
          "ALTER EVENT TRIGGER \"guard\" DISABLE",
        ] {
          #expect(outcome.everything.contains(words), "\(outcome.everything)")
        }
      }
      let initialised = try await database.call("init")
      #expect(
        initialised.status == 73
          && initialised.errors.contains("the admin schema admin can't be created: tables come from the DBA")
      )
      try database.run("ALTER EVENT TRIGGER guard DISABLE")
      #expect(try await database.call("merge").status == 0)
    }
  }

  @Test func `a column that production numbers itself is told, and can be agreed to`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, updated_at int",
        staging: "id int, n int, updated_at int"
      )
      try database.run(
        "INSERT INTO production.t (id, updated_at) VALUES (1, 1); INSERT INTO staging.t VALUES (1, 71, 2), (2, 72, 2)"
      )
      let merge = try await database.call("merge")
      #expect(
        merge.status == 0 && merge.errors.contains("n of production.t is GENERATED ALWAYS AS IDENTITY"),
        "\(merge.transcript)"
      )
      #expect(try database.rows("SELECT id, n FROM production.t ORDER BY 1") == ["(1,1)", "(2,72)"])
      let verify = try await database.call("verify", "--json")
      #expect(try verify.json()["findings"].elements.contains { $0["kind"].text == "identity_column" })
      let agreed = try await database.call(
        arguments: ["plan", "--config", "own.yaml"],
        files: ["own.yaml": "tables: {t: {insert_only_columns: [n]}}"]
      )
      #expect(agreed.status == 0 && !agreed.everything.contains("GENERATED ALWAYS"), "\(agreed.transcript)")
    }
  }
}
