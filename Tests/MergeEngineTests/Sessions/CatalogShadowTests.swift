import TestSupport
import Testing

/// What others put into a schema of the search_path is never taken for the server's own.
@Suite struct CatalogShadowTests {
  /// Functions, operators, types and tables that are better matches than pg_catalog's, or come before it; each raises an error.
  private static let shadows = """
    CREATE FUNCTION public.taken(text, name, name) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    ALTER FUNCTION public.taken(text, name, name) RENAME TO format;
    CREATE FUNCTION public.unnest(int[]) RETURNS SETOF int LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    CREATE FUNCTION public.unnest(smallint[]) RETURNS SETOF smallint LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    CREATE FUNCTION public.unnest(text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    CREATE FUNCTION public.array_agg(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    CREATE FUNCTION public.string_agg(name, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    CREATE FUNCTION public.jsonb_build_object(text, int) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    CREATE FUNCTION public.age(xid) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    CREATE FUNCTION public.taken(varchar, varchar) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    CREATE OPERATOR public.= (FUNCTION = public.taken, LEFTARG = varchar, RIGHTARG = varchar);
    CREATE OPERATOR public.<> (FUNCTION = public.taken, LEFTARG = varchar, RIGHTARG = varchar);
    CREATE FUNCTION public.taken(name, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    CREATE OPERATOR public.= (FUNCTION = public.taken, LEFTARG = name, RIGHTARG = text);
    CREATE FUNCTION public.taken(text, oid) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    CREATE OPERATOR public.|| (FUNCTION = public.taken, LEFTARG = text, RIGHTARG = oid);
    CREATE FUNCTION public.taken(int, bigint) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    CREATE OPERATOR public.+ (FUNCTION = public.taken, LEFTARG = int, RIGHTARG = bigint);
    CREATE DOMAIN public.tid AS int CHECK (false);
    CREATE DOMAIN public.xid AS int CHECK (false);
    CREATE VIEW public.pg_class AS SELECT 1 / 0 AS oid;
    CREATE VIEW public.pg_namespace AS SELECT 1 / 0 AS oid;
    """

  @Test(arguments: ["public", "public, pg_catalog"])
  func `every command does its work beside them`(path: String) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: """
          id int PRIMARY KEY, updated_at int, v varchar(20) UNIQUE, parent int REFERENCES production.t, n int CHECK (n < 5)
          """,
        staging: "id int, updated_at int, v varchar(20), parent int, n int"
      )
      try database.run(
        """
        INSERT INTO production.t SELECT n, 1, 'p' || n, NULL, 1 FROM generate_series(1, 40) n;
        INSERT INTO staging.t SELECT n, 5, 's' || n, nullif(n - 1, 0), 1 FROM generate_series(1, 60) n;
        INSERT INTO staging.t VALUES (70, 5, 's70', NULL, 9), (7, 4, 's7', NULL, 1);
        \(Self.shadows)
        """
      )
      try database.run("ALTER DATABASE \(database.name) SET search_path = \(path)")
      for (words, status) in [
        (["init"], 0), (["plan"], 0), (["merge", "--before-images", "--batch", "20", "--ties", "compare"], 65),
        (["verify"], 65), (["status"], 65), (["errors", "list"], 0), (["errors", "retry"], 0), (["merge"], 65),
        (["report", "1"], 0), (["rollback", "1", "--plan"], 0), (["rollback", "1"], 0), (["cleanup"], 65),
      ] {
        let outcome = try await database.call(arguments: words)
        #expect(outcome.status == status, "\(words): \(outcome.transcript)")
        #expect(
          !outcome.everything.contains("taken") && !outcome.everything.contains("SQLSTATE 42"),
          "\(words): \(outcome.transcript)"
        )
      }
    }
  }
}
