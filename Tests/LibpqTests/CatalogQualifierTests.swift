import Libpq
import Testing

/// What fixed text takes from pg_catalog is named with its schema, and nothing else is changed.
@Suite struct CatalogQualifierTests {
  private func expect(_ sql: SQL, _ statement: String, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(sql.statement == statement, sourceLocation: sourceLocation)
  }

  @Test func `functions, types and tables get their schema`() {
    expect(
      "SELECT count(*), now()::text, x::int8[], y::bigint, 'pg_class'::regclass, 'timestamp'::regtype FROM pg_class AS c, unnest($1::oid[]) AS k (attnum)",
      "SELECT pg_catalog.count(*), pg_catalog.now()::pg_catalog.text, x::pg_catalog.int8[], y::bigint, "
        + "'pg_catalog.pg_class'::pg_catalog.regclass, 'timestamp'::pg_catalog.regtype "
        + "FROM pg_catalog.pg_class AS c, pg_catalog.unnest($1::pg_catalog.oid[]) AS k (attnum)"
    )
  }

  @Test func `what has a schema, a table or quotes already is left alone`() {
    let column = Identifier("count")
    let sql: SQL =
      "SELECT x.count, \"count\"(1), public.count(1), x.text, 1::public.text FROM app.pg_class WHERE x.\(column)"
    #expect(sql.statement == sql.text)
  }

  @Test func `constants and comments are left alone`() {
    let sql: SQL = """
      SELECT 'a = count(*)', E'\\' = count(*)', $$a = count(*)$$, $x$ $$ = count(*)$x$, \(Literal("' = count(*)")) -- a = b
      /* a = /* nested */ count(*) */ , 1e-5, 'it''s = it'
      """
    #expect(sql.statement == sql.text)
  }

  @Test func `a backslash means the same whatever standard_conforming_strings says`() {
    expect(#"SELECT 'a' ~ '\d', '\'"#, #"SELECT 'a' OPERATOR(pg_catalog.~) E'\\d', E'\\'"#)
  }

  @Test func `operators get their schema`() {
    expect(
      "SELECT a <> b, c || d, e -> 'f' ? 'g', h =-1, - i, count(*) FILTER (WHERE j ~* 'k') FROM t WHERE l = ANY ($1) AND NOT m >= n",
      "SELECT a OPERATOR(pg_catalog.<>) b, c OPERATOR(pg_catalog.||) d, "
        + "e OPERATOR(pg_catalog.->) 'f' OPERATOR(pg_catalog.?) 'g', h OPERATOR(pg_catalog.=)-1, - i, "
        + "pg_catalog.count(*) FILTER (WHERE j OPERATOR(pg_catalog.~*) 'k') "
        + "FROM t WHERE l OPERATOR(pg_catalog.=) ANY ($1) AND NOT m OPERATOR(pg_catalog.>=) n"
    )
  }

  @Test func `what binds more tightly on the right gets parentheses`() {
    expect(
      "SELECT 1/0, a + b = c, a = b + c * d - e, a * b + c * d FROM t WHERE a || b = c || d AND x < y * 2",
      "SELECT 1 OPERATOR(pg_catalog./)0, a OPERATOR(pg_catalog.+) b OPERATOR(pg_catalog.=) c, "
        + "a OPERATOR(pg_catalog.=) (b OPERATOR(pg_catalog.+) (c OPERATOR(pg_catalog.*) d) OPERATOR(pg_catalog.-) e), "
        + "a OPERATOR(pg_catalog.*) b OPERATOR(pg_catalog.+) (c OPERATOR(pg_catalog.*) d) "
        + "FROM t WHERE a OPERATOR(pg_catalog.||) b OPERATOR(pg_catalog.=) (c OPERATOR(pg_catalog.||) d) "
        + "AND x OPERATOR(pg_catalog.<) (y OPERATOR(pg_catalog.*) 2)"
    )
  }

  @Test func `an operator that has its schema takes part in the parentheses`() {
    let equality: SQL = "OPERATOR(\(Identifier("app")).\(SQL.uncheckedFromServer("=")))"
    expect(
      "SELECT a \(equality) b + 1 FROM t WHERE a \(equality) b",
      "SELECT a OPERATOR(\"app\".=) (b OPERATOR(pg_catalog.+) 1) FROM t WHERE a OPERATOR(\"app\".=) b"
    )
  }

  @Test func `assignments, options and stars are no operators`() {
    expect(
      "UPDATE t SET a = b, (c, d) = (SELECT 1, 2), e = f = g FROM u WHERE t.a = u.a; SET x = y; SELECT t.*, * FROM t",
      "UPDATE t SET a = b, (c, d) = (SELECT 1, 2), e = f OPERATOR(pg_catalog.=) g FROM u "
        + "WHERE t.a OPERATOR(pg_catalog.=) u.a; SET x = y; SELECT t.*, * FROM t"
    )
    let options: SQL = "ALTER TABLE t SET (fillfactor = 45)"
    #expect(options.statement == options.text)
    expect(
      "INSERT INTO t (a) SELECT 1 ON CONFLICT (a) DO UPDATE SET a = excluded.a WHERE t.a < excluded.a",
      "INSERT INTO t (a) SELECT 1 ON CONFLICT (a) DO UPDATE SET a = excluded.a WHERE t.a OPERATOR(pg_catalog.<) excluded.a"
    )
    expect("SELECT make_interval(days => $1)", "SELECT pg_catalog.make_interval(days => $1)")
  }

  @Test func `types of columns get their schema`() {
    expect(
      "CREATE TABLE t (count text NOT NULL, name tid[], date varchar(20)) WITH (fillfactor = 45); ALTER TABLE t ADD COLUMN oid xid",
      "CREATE TABLE t (count pg_catalog.text NOT NULL, name pg_catalog.tid[], date varchar(20)) WITH (fillfactor = 45); "
        + "ALTER TABLE t ADD COLUMN oid pg_catalog.xid"
    )
  }

  @Test func `tables and views are made of queries with schemas`() {
    expect(
      "CREATE TEMPORARY TABLE t ON COMMIT DROP AS SELECT a = b FROM c",
      "CREATE TEMPORARY TABLE t ON COMMIT DROP AS SELECT a OPERATOR(pg_catalog.=) b FROM c"
    )
  }

  @Test func `IN and LIKE become their operators`() {
    expect(
      "SELECT a IN ('x', 'y'), a NOT IN (SELECT b FROM t), a IN (1, 2 + 3), a NOT LIKE 'x%', b LIKE c || 'd'",
      "SELECT a OPERATOR(pg_catalog.=) ANY ('{\"x\",\"y\"}' ), a  OPERATOR(pg_catalog.<>) ALL (SELECT b FROM t), "
        + "a OPERATOR(pg_catalog.=) ANY (ARRAY[1, 2 OPERATOR(pg_catalog.+) 3]), a  OPERATOR(pg_catalog.!~~) 'x%', "
        + "b OPERATOR(pg_catalog.~~) (c OPERATOR(pg_catalog.||) 'd')"
    )
  }

  @Test func `unnest of several arrays is the grammar's own`() {
    expect(
      "SELECT FROM unnest($1, $2) AS a, unnest(ARRAY[1, 2]) AS b",
      "SELECT FROM unnest($1, $2) AS a, pg_catalog.unnest(ARRAY[1, 2]) AS b"
    )
  }

  @Test func `tokens go on from one literal to the next`() {
    let parts: [SQL] = ["c\(1) = $", "\(2)"]
    expect(
      "SELECT \(parts[0])\(parts[1]) + '\(3)'::int8",
      "SELECT c1 OPERATOR(pg_catalog.=) ($2 OPERATOR(pg_catalog.+) '3'::pg_catalog.int8)"
    )
  }

  @Test func `CASE is one operand`() {
    expect(
      "SELECT CASE WHEN a = 1 THEN b + 1 ELSE 0 END * 2 = c LEFT JOIN",
      "SELECT CASE WHEN a OPERATOR(pg_catalog.=) 1 THEN b OPERATOR(pg_catalog.+) 1 ELSE 0 END OPERATOR(pg_catalog.*) 2 "
        + "OPERATOR(pg_catalog.=) c LEFT JOIN"
    )
  }
}

extension LibpqTests {
  /// What others make in `public` is not taken for the server's own.
  @Suite @DatabaseThread struct CatalogHijackTests {
    @Test func `functions and operators of others are never called`() async throws {
      let connection = try await Server.connect()
      try connection.execute("BEGIN", "beginning")
      try connection.execute(
        """
        CREATE FUNCTION public.taken(text, name, name) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
        ALTER FUNCTION public.taken(text, name, name) RENAME TO format;
        CREATE FUNCTION public.unnest(int[]) RETURNS SETOF int LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
        CREATE FUNCTION public.taken(varchar, varchar) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
        CREATE OPERATOR public.= (FUNCTION = public.taken, LEFTARG = varchar, RIGHTARG = varchar);
        CREATE FUNCTION public.taken(smallint, numeric) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken'; END $$;
        CREATE OPERATOR public.+ (FUNCTION = public.taken, LEFTARG = smallint, RIGHTARG = numeric);
        CREATE TABLE public.pg_class (oid oid, relname name);
        SET LOCAL search_path = public, pg_catalog
        """,
        "making what is better than the server's own"
      )
      let answer = try connection.query(
        """
        SELECT format('%I.%I', n.nspname, c.relname), (SELECT count(*) FROM unnest(ARRAY[1, 2])), v = v, v IN ('a', 'b'),
               (s + 1.5)::float8, 3 = s + 1.0
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace,
             (SELECT 'a'::varchar AS v, 2::smallint AS s) AS w
        WHERE c.oid = 'pg_catalog.pg_class'::regclass
        """,
        "asking"
      )
      #expect(answer.text(0, 0) == "pg_catalog.pg_class")
      #expect(answer.integer(0, 1) == 2)
      #expect(answer.bool(0, 2) == true && answer.bool(0, 3) == true && answer.bool(0, 5) == true)
      #expect(answer.double(0, 4) == 3.5)
      try connection.execute("ROLLBACK", "rolling back")
      connection.expectUsable()
    }
  }
}
