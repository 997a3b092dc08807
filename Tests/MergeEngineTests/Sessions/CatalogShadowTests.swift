import TestSupport
import Testing

/// What others put into a schema of the search_path is never taken for the server's own.
@Suite struct CatalogShadowTests {
  /// For whatever pg_catalog has, functions, operators, tables and the types that we use, the same in `public`, where it fails;
  /// and some that are better matches than pg_catalog's wherever the path begins.
  private static let shadows = """
    DO $do$
    DECLARE r record;
    BEGIN
      FOR r IN SELECT p.proname, pg_get_function_identity_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result
               FROM pg_proc p
               WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.provariadic = 0
                 AND p.prorettype NOT IN ('trigger'::regtype, 'internal'::regtype, 'event_trigger'::regtype, 'cstring'::regtype,
                                          'record'::regtype)
                 AND NOT p.proargtypes::oid[] && ARRAY['internal'::regtype::oid, 'cstring'::regtype::oid]
                 AND p.proname !~ '_(in|out|recv|send)$'
      LOOP
        BEGIN
          EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN RAISE ''taken''; END $f$',
                         r.proname, r.arguments, r.result);
        EXCEPTION WHEN OTHERS THEN NULL; -- What plpgsql has no form for.
        END;
      END LOOP;
      FOR r IN SELECT oid, oprname, format_type(oprleft, NULL) AS a, format_type(oprright, NULL) AS b,
                      format_type(oprresult, NULL) AS result
               FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprleft <> 0
      LOOP
        BEGIN
          EXECUTE format('CREATE FUNCTION public.op_%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN RAISE ''taken''; END $f$',
                         r.oid, r.a, r.b, r.result);
          EXECUTE format('CREATE OPERATOR public.%s (FUNCTION = public.op_%s, LEFTARG = %s, RIGHTARG = %s)', r.oprname, r.oid,
                         r.a, r.b);
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
      END LOOP;
      FOR r IN SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v') LOOP
        EXECUTE format('CREATE VIEW public.%I AS SELECT 1 / 0 AS oid', r.relname);
      END LOOP;
    END $do$;
    CREATE FUNCTION public.taken(varchar, varchar) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    CREATE OPERATOR public.= (FUNCTION = public.taken, LEFTARG = varchar, RIGHTARG = varchar);
    CREATE OPERATOR public.<> (FUNCTION = public.taken, LEFTARG = varchar, RIGHTARG = varchar);
    CREATE FUNCTION public.taken(text, oid) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    CREATE OPERATOR public.|| (FUNCTION = public.taken, LEFTARG = text, RIGHTARG = oid);
    CREATE FUNCTION public.taken(text, name, name) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    ALTER FUNCTION public.taken(text, name, name) RENAME TO format;
    CREATE FUNCTION public.unnest(int[]) RETURNS SETOF int LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    CREATE FUNCTION public.unnest(text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    CREATE FUNCTION public.array_agg(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    CREATE FUNCTION public.jsonb_build_object(text, int) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
    DO $do$
    DECLARE type text;
    BEGIN
      FOREACH type IN ARRAY ARRAY['text', 'name', 'oid', 'xid', 'tid', 'jsonb', 'json', 'int2', 'int4', 'int8', 'float8', 'bool',
                                  'timestamptz', 'regclass', 'regtype', 'pg_lsn', 'xml', 'date'] LOOP
        EXECUTE format('CREATE DOMAIN public.%I AS integer CHECK (false)', type);
      END LOOP;
    END $do$;
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
