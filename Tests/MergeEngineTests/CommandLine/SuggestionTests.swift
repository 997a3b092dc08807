import TestSupport
import Testing

/// A command line that misses by a little is answered with what was probably meant.
@Suite struct SuggestionTests {
  @Test(arguments: [
    (["plna"], "There is no command plna. Did you mean plan?"), (["Verify"], "Did you mean verify?"),
    (["errors", "lst"], "There is no command lst. Did you mean list?"), (["dms", "lnt", "x"], "Did you mean lint?"),
    (["plan", "--bacth", "3"], "There is no option --bacth. Did you mean --batch?"),
    (["--dry-run"], "merge-engine plan is the dry run"), (["merge", "--dry-run"], "merge-engine plan is the dry run"),
    (["rollback", "1", "--dry-run"], "The dry run is --plan"), (["--host", "db"], "named with --database"),
    (["--password", "x"], "DATABASE_URL, ~/.pgpass"),
    (["merge", "orders"], "There is one argument too many"),
    (["verify", "--ties", "compare"], "There is no option --ties here: it belongs to"),
    (["status", "--frobnicate"], "There is no option --frobnicate.\n"), (["report", "abc"], "<run> must be a number"),
    (["merge", "--batch", "50k"], "It must be a number."),
    (["merge", "--batch", "s3cret"], "--batch must be a number, and the given value is not (not shown"),
    (["--bacth", "5"], "See merge-engine merge --help."),
    (["errors", "what"], "The commands are list, retry or dismiss."),
  ])
  func `suggests`(arguments: [String], message: String) async throws {
    let outcome = try await CommandLineProgram.run(arguments)
    #expect(outcome.status == 64, "\(outcome.transcript)")
    #expect(outcome.output == "")
    #expect(outcome.errors.contains(message), "\(outcome.errors)")
    // A message is a few lines, not a page of options.
    #expect(outcome.errors.split(separator: "\n").count <= 3)
    #expect(outcome.errors.contains("--help."))
  }
}
