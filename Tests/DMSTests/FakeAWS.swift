import DMS
import Foundation

/// An executable that answers as it was told, call by call, and keeps what it was asked.
final class FakeAWS: Sendable {
  let folder: URL

  struct Answer: Sendable {
    var output = ""
    var errors = ""
    var status = 0
    /// Sleeps that long, in a child of its own, before it answers.
    var seconds = 0
  }

  /// The last answer is given again when there are more calls.
  init(_ answers: [Answer]) throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "fake-aws-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for (index, answer) in answers.enumerated() {
      try write(answer.output, "output.\(index)")
      try write(answer.errors, "errors.\(index)")
      try write("\(answer.status)", "status.\(index)")
      try write("\(answer.seconds)", "seconds.\(index)")
    }
    try write(Self.script, "aws")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path("aws"))
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  private static let script = """
    #!/bin/sh
    cd "$(dirname "$0")" || exit 99
    call=$(cat calls 2>/dev/null || echo 0)
    echo $((call + 1)) > calls
    printf '%s\\n' "$@" > "arguments.$call"
    env > "environment.$call"
    for argument; do
      case $argument in
      file://*)
        cp "${argument#file://}" "request.$call"
        ls -ld "${argument#file://}" "$(dirname "${argument#file://}")" > "modes.$call"
        echo "${argument#file://}" > "file.$call" ;;
      esac
    done
    while [ ! -f "status.$call" ]; do call=$((call - 1)); done
    echo $$ > pid
    seconds=$(cat "seconds.$call")
    [ "$seconds" = 0 ] || sleep "$seconds"
    cat "errors.$call" >&2
    cat "output.$call"
    exit "$(cat "status.$call")"

    """

  func path(_ name: String) -> String { folder.appending(path: name).path(percentEncoded: false) }

  private func write(_ text: String, _ name: String) throws {
    try Data(text.utf8).write(to: folder.appending(path: name))
  }

  func kept(_ name: String) throws -> String { try String(contentsOf: folder.appending(path: name), encoding: .utf8) }

  var calls: Int { (try? kept("calls")).flatMap { Int($0.trimmingCharacters(in: .newlines)) } ?? 0 }

  func command(timeLimit: Duration = .seconds(60)) -> AWSCommand {
    TestAWS.command(executable: path("aws"), endpoint: "http://127.0.0.1:9", timeLimit: timeLimit)
  }

  var service: DMSService { DMSService(command: command()) }

  /// A described task.
  static func described(_ status: String, more: String = "") -> Answer {
    let task = """
      {"ReplicationTaskIdentifier": "reload-1", "ReplicationTaskArn": "arn:task:1", "Status": "\(status)"\(more)}
      """
    return Answer(output: "{\"ReplicationTasks\": [\(task)]}")
  }

  static func failing(_ errors: String, _ status: Int = 255) -> Answer { Answer(errors: errors, status: status) }
}
