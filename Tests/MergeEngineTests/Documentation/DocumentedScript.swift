import Foundation

/// The commands of a document as one shell script, each as it stands there.
///
/// Blocks of ```` ```sh ```` are taken whole. In the rows of tables every `merge-engine …` in backquotes is a command. Comments
/// `<!-- test: NAME -->` are places where the script calls the function `NAME`, as for the load that DMS would do; `skip` leaves the
/// next block out.
struct DocumentedScript {
  let text: String

  static let repository = URL(filePath: #filePath).appending(path: "../../../..").standardized

  init(_ path: String) throws {
    let document = try String(contentsOf: Self.repository.appending(path: path), encoding: .utf8)
    var lines: [String] = []
    var block: [String]?
    var skips = false
    for line in document.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
      if line.hasPrefix("```") {
        if let block, block.first == "```sh", !skips { lines += block.dropFirst() }
        if block != nil { skips = false }
        block = block == nil ? [line] : nil
      } else if block != nil {
        block?.append(line)
      } else if let match = line.wholeMatch(of: /<!-- test: ([a-z_]+).*-->/) {
        if match.1 == "skip" { skips = true } else { lines.append(String(match.1)) }
      } else if line.hasPrefix("|") {
        lines += line.matches(of: /`(merge-engine [^`]+)`/).map { "inline \($0.1)" }
      }
    }
    text = lines.joined(separator: "\n") + "\n"
  }
}
