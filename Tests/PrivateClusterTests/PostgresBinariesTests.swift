import Foundation
import PrivateCluster
import Testing

@Suite struct PostgresBinariesTests {
  @Test func `finds programs with nothing on the PATH`() async throws {
    let found = try await PostgresBinaries.find(environment: [:])
    #expect(FileManager.default.isExecutableFile(atPath: found.path("initdb")))
    #expect(try await found.version() >= #require(PostgresVersion(programOutput: "(PostgreSQL) 14.0")))
  }

  @Test func `the environment variable wins over the search, the option over both`() async throws {
    let found = try await PostgresBinaries.find()
    let environment = ["MERGE_ENGINE_POSTGRES_BIN": "/not/there"]
    let error = await #expect(throws: PrivateClusterError.self) {
      try await PostgresBinaries.find(environment: environment)
    }
    #expect(error?.description.contains("MERGE_ENGINE_POSTGRES_BIN says /not/there") == true)
    #expect(try await PostgresBinaries.find(in: found.directory, environment: environment) == found)
  }

  @Test(arguments: [
    ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "15.18"), ("postgres (PostgreSQL) 18beta1", "18.0"),
    ("postgres (PostgreSQL) 14.2", "14.2"),
  ])
  func `reads what postgres --version prints`(output: String, version: String) {
    #expect(PostgresVersion(programOutput: output)?.description == version)
  }

  @Test func `reads no version where there is none`() {
    #expect(PostgresVersion(programOutput: "command not found: 15.1") == nil)
  }
}
