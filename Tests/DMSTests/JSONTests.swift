import DMS
import Foundation
import Testing

@Suite struct JSONTests {
  @Test func orderNumbersAndEscapesSurviveReadingAndWriting() throws {
    let text = #"{"b":1.50,"a":[true,false,null,-0,1e9],"z":"\"\\\n\t\u0001é😀","":{},"empty":[]}"#
    let node = try JSONParser.parse(Array(text.utf8))
    #expect(JSONWriter(isIndented: false).text(node) == text)
  }

  @Test func escapesAreRead() throws {
    let node = try JSONParser.parse(Array(#""\u00e9\ud83d\ude00\/\b\f\r""#.utf8))
    #expect(node.string == "é😀/\u{8}\u{C}\r")
  }

  @Test func whatIsWrittenInASCIIReadsTheSame() throws {
    let node = JSONNode(.string("é😀 \u{7F}"))
    let text = JSONWriter(isASCIIOnly: true).text(node)
    #expect(text == #""\u00e9\ud83d\ude00 \u007f""#)
    #expect(try JSONParser.parse(Array(text.utf8)).string == "é😀 \u{7F}")
  }

  @Test(arguments: [
    ("", 1, 1), ("{", 1, 2), ("{\"a\" 1}", 1, 6), ("[1,]", 1, 4), ("{\"a\":1,}", 1, 8), ("{a:1}", 1, 2),
    ("[1 2]", 1, 4),
    ("01", 1, 2), ("1.", 1, 3), ("-", 1, 2), ("\"abc", 1, 1), ("\"a\nb\"", 1, 3), ("\"\\x\"", 1, 3),
    ("\"\\ud800\"", 1, 8),
    ("tru", 1, 4), ("{}\n// end", 2, 1), ("{\n  \"é\": x\n}", 2, 8), ("\u{FEFF}{}", 1, 1),
  ])
  func whatIsNotJSONIsRefusedAtItsPlace(_ text: String, _ line: Int, _ column: Int) {
    let error = #expect(throws: JSONSyntaxError.self) { try JSONParser.parse(Array(text.utf8)) }
    #expect(error?.position == TextPosition(line: line, column: column), "\(error?.description ?? "")")
  }

  @Test func bytesThatAreNotUTF8AndEndlessNestingAreRefused() {
    #expect(throws: JSONSyntaxError.self) { try JSONParser.parse([0x22, 0xFF, 0x22]) }
    #expect(throws: JSONSyntaxError.self) { try JSONParser.parse([0xFF, 0xFE, 0x7B, 0x00]) }
    #expect(throws: JSONSyntaxError.self) {
      try JSONParser.parse([UInt8](repeating: UInt8(ascii: "["), count: 1_000_000))
    }
  }

  private struct Sample: Encodable {
    var zebra = 1
    var apple: String? = nil
    var list = [[1.5], []]
    var map = Inner()
    struct Inner: Encodable { var y = true, b = Int64.min, c = UInt64.max }
  }

  @Test func membersStandInTheOrderOfTheDeclaration() throws {
    let text = JSONWriter(isIndented: false).text(try OrderedJSONEncoder().node(Sample()))
    #expect(
      text == #"{"zebra":1,"list":[[1.5],[]],"map":{"y":true,"b":-9223372036854775808,"c":18446744073709551615}}"#
    )
  }

  @Test func numbersThatJSONDoesNotHaveAreRefused() {
    #expect(throws: EncodingError.self) { try OrderedJSONEncoder().node([Double.nan]) }
  }
}
