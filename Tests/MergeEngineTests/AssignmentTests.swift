import MergeEngine
import TestSupport
import Testing

/// What is too long is refused by the server's own assignment, for types that nobody has heard of, too.
@Suite struct AssignmentTests {
  /// A type like those of extensions: its cast to a length cuts when it is explicit and refuses on assignment, and its binary
  /// form is read without a look at the length.
  private static let type = """
    CREATE TYPE public.short;
    CREATE FUNCTION public.short_in(cstring, oid, integer) RETURNS public.short
      LANGUAGE internal IMMUTABLE STRICT AS 'varcharin';
    CREATE FUNCTION public.short_out(public.short) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'varcharout';
    CREATE FUNCTION public.short_receive(internal) RETURNS public.short LANGUAGE internal STABLE STRICT AS 'textrecv';
    CREATE FUNCTION public.short_send(public.short) RETURNS bytea LANGUAGE internal STABLE STRICT AS 'varcharsend';
    CREATE FUNCTION public.short_typmod_in(cstring[]) RETURNS integer LANGUAGE internal IMMUTABLE STRICT
      AS 'varchartypmodin';
    CREATE FUNCTION public.short_typmod_out(integer) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT
      AS 'varchartypmodout';
    CREATE TYPE public.short (
      INPUT = public.short_in, OUTPUT = public.short_out, RECEIVE = public.short_receive, SEND = public.short_send,
      TYPMOD_IN = public.short_typmod_in, TYPMOD_OUT = public.short_typmod_out, LIKE = text);
    CREATE FUNCTION public.short(public.short, integer, boolean) RETURNS public.short
      LANGUAGE internal IMMUTABLE STRICT AS 'varchar';
    CREATE CAST (public.short AS public.short) WITH FUNCTION public.short(public.short, integer, boolean) AS IMPLICIT;
    CREATE CAST (text AS public.short) WITHOUT FUNCTION AS ASSIGNMENT;
    CREATE CAST (public.short AS text) WITHOUT FUNCTION AS IMPLICIT;
    """

  @Test(arguments: ["text", "public.short", "public.short(9)"], [false, true])
  func `a value that is too long for an extension's type is refused, and not cut`(staging: String, images: Bool)
    async throws
  {
    try await TestDatabase.with { database async throws in
      try database.run(Self.type)
      try database.makePair(
        production: "id int PRIMARY KEY, code public.short(5), codes public.short(5)[], updated_at int",
        staging: "id int, code \(staging), codes \(staging)[], updated_at int"
      )
      try database.run(
        """
        INSERT INTO production.t VALUES (1, 'old', '{}', 1), (2, 'old', '{}', 1);
        INSERT INTO staging.t VALUES
          (1, 'abcdefgh', '{}', 2), (2, 'abc', '{a,b}', 2), (3, 'abcdefgh', '{}', 2), (4, 'abcde', '{abcde}', 2),
          (5, 'a', '{abcdefgh}', 2);
        """
      )
      let merge = try await database.merge { $0.beforeImages = images }
      #expect(merge.totals.errors == 3)
      #expect(
        try database.rows("SELECT id, code::text, codes::text FROM production.t ORDER BY id") == [
          "(1,old,{})", "(2,abc,\"{a,b}\")", "(4,abcde,{abcde})",
        ]
      )
      #expect(
        try database.count("SELECT count(*) FROM admin.merge_errors WHERE message LIKE 'value too long%'") == 3
      )
    }
  }
}
