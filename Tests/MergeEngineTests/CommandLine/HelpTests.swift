import TestSupport
import Testing

@Suite struct HelpTests {
  @Test(arguments: [["--help"], ["-h"], ["help"], ["merge", "--help"], ["init", "--help"], ["status", "--help"]])
  func `help goes to stdout, says how the command is used, and ends with 0`(arguments: [String]) async throws {
    let outcome = try await CommandLineProgram.run(arguments)
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("USAGE: merge-engine"))
    #expect(outcome.errors == "")
  }

  @Test func `the help of merge names every option of the contract that there is`() async throws {
    let help = try await CommandLineProgram.run(["merge", "--help"]).output
    for option in [
      "--database", "--config", "--staging-schema", "--production-schema", "--admin-schema", "--table", "--json",
      "--quiet", "--log-format", "--batch", "--workers", "--atomic", "--mark", "--nulls", "--from", "--to",
      "--cleanup", "--lock-timeout", "--time-zone",
    ] {
      #expect(help.contains(option))
    }
  }

  @Test func `the version is one line with three numbers, and the commit where it is known`() async throws {
    let outcome = try await CommandLineProgram.run(["--version"])
    #expect(outcome.status == 0)
    #expect(outcome.output.wholeMatch(of: /\d+\.\d+\.\d+( \([0-9a-f]+(-dirty)?\))?\n/) != nil)
    #expect(outcome.errors == "")
  }

  @Test(arguments: [
    ["--no-such-option"], ["mrege"], ["merge", "orders"], ["--batch"], ["--mark", "some"], ["--nulls", "first"],
    ["--log-format", "xml"], ["--ties", "compare"],
  ])
  func `what is no option is refused with the usage and status 64`(arguments: [String]) async throws {
    let outcome = try await CommandLineProgram.run(arguments)
    #expect(outcome.status == 64)
    #expect(outcome.errors.contains("merge-engine"))
    #expect(outcome.output == "")
  }
}
