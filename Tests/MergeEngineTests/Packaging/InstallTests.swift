import Foundation
import TestSupport
import Testing

/// `make install`, with a program that is built already.
@Suite struct InstallTests {
  @Test
  func `make install puts program, pages and completions below PREFIX and DESTDIR, and uninstall takes them away`()
    async throws
  {
    let program = try CommandLineProgram.built().path
    let outcome = try await CommandLineProgram(
      [
        "-c",
        """
        set -eu
        make() {
          command make --no-print-directory --directory "$REPOSITORY" --old-file package-build \
            STATIC_PROGRAM="$PROGRAM" DESTDIR="$PWD/root" PREFIX=/opt/tools "$@" >&2
        }
        make install
        (cd root && find . -type f | sort)
        echo "== version"
        root/opt/tools/bin/merge-engine --version
        echo "== page"
        gzip -dc root/opt/tools/share/man/man1/merge-engine-verify.1.gz | grep -c 'recheck.*after'
        make uninstall
        echo "== left"
        find root -type f
        """,
      ],
      executable: URL(filePath: "/bin/sh"),
      environment: ["REPOSITORY": DocumentedScript.repository.path, "PROGRAM": program]
    ).outcome()
    #expect(outcome.status == 0, "\(outcome.transcript)")
    let parts = outcome.output.split(separator: "== ").map { $0.split(separator: "\n").map(String.init) }
    try #require(parts.count == 4, "\(outcome.transcript)")
    let files = Set(parts[0])
    for file in [
      "bin/merge-engine", "share/man/man1/merge-engine.1.gz", "share/man/man1/merge-engine-errors-retry.1.gz",
      "share/bash-completion/completions/merge-engine", "share/zsh/site-functions/_merge-engine",
      "share/fish/vendor_completions.d/merge-engine.fish", "share/doc/merge-engine/README.md",
      "share/doc/merge-engine/LICENSE",
    ] {
      #expect(files.contains("./opt/tools/\(file)"), "\(file): \(outcome.transcript)")
    }
    #expect(files.allSatisfy { $0.hasPrefix("./opt/tools/") })
    #expect(parts[1].count == 2)
    #expect(parts[2].dropFirst().first.flatMap { Int($0) } ?? 0 > 0)
    #expect(parts[3] == ["left"])
  }
}
