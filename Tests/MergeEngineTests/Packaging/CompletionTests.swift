import Foundation
import TestSupport
import Testing

/// What a tab completes, asked of each shell that is installed here.
@Suite struct CompletionTests {
  /// A shell, and a script that prints what the line in `$LINE` may become.
  enum Shell: String, CaseIterable {
    case bash, zsh, fish

    /// Whether it is installed.
    var isThere: Bool {
      let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
      return folders.contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(rawValue)") }
    }

    /// Prints a candidate a line; zsh, which has no way to ask for them, the line as the tab leaves it.
    var script: String {
      switch self {
      case .bash:
        #"""
        source completions/merge-engine.bash
        COMP_LINE=$LINE COMP_POINT=${#LINE}
        read -ra COMP_WORDS <<<"$LINE"
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _merge-engine merge-engine "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
        """#
      case .zsh:
        #"""
        zmodload zsh/zpty
        zpty z 'COLUMNS=200 zsh -f -i'
        zpty -w z "PS1=; fpath=($PWD/completions \$fpath); autoload -Uz compinit; compinit -D -u
          show() { print -r -- \"<\$BUFFER>\"; }; zle -N show; bindkey '^I' complete-word '^X' show; print REA''DY"
        zpty -r z said '*READY*'
        zpty -w -n z "$LINE"$'\t'$'\x18'
        zpty -r -m z said '*<*>*'
        print -r -- "${${said##*<}%%>*}"
        """#
      case .fish:
        """
        source completions/merge-engine.fish
        complete -C "$LINE"
        """
      }
    }
  }

  @Test(arguments: Shell.allCases)
  func `a tab knows commands, their options and values, and those of the default command`(shell: Shell) async throws {
    // Those that are not installed are not required to be.
    guard shell.isThere else { return }
    let program = try CommandLineProgram.built().path
    for (line, completion) in [
      ("merge-engine ver", "verify"), ("merge-engine plan --sam", "--samples"), ("merge-engine --ba", "--batch"),
      ("merge-engine --mark a", "all"), ("merge-engine --mark all --ba", "--batch"),
    ] {
      let outcome = try await CommandLineProgram(
        [
          "-c",
          """
          "$REPOSITORY/.packaging/completions" "$PROGRAM" completions
          PATH="$PWD/bin:$PATH"
          mkdir bin && ln -s "$PROGRAM" bin/merge-engine
          exec timeout 60 \(shell.rawValue) -c "$SCRIPT"
          """,
        ],
        executable: URL(filePath: "/bin/sh"),
        environment: [
          "REPOSITORY": DocumentedScript.repository.path, "PROGRAM": program, "SCRIPT": shell.script, "LINE": line,
          "TERM": "xterm",
        ]
      ).outcome()
      let said = outcome.output.split(separator: "\n").map { $0.split(separator: "\t").first.map(String.init) ?? "" }
      let begun = line.split(separator: " ").last ?? ""
      let expected = shell == .zsh ? line.dropLast(begun.count) + completion : completion
      #expect(
        said.map { $0.trimmingCharacters(in: .whitespaces) } == [String(expected)],
        "\(line): \(outcome.transcript)"
      )
    }
  }
}
