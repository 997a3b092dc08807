import Libpq
import Testing

@Suite struct NameTests {
  @Test func `names are the same only if their bytes are`() {
    // One canonical text to Swift, two names to the server.
    #expect("gr\u{F6}\u{DF}e" == "gro\u{308}\u{DF}e")
    let composed = Identifier("gr\u{F6}\u{DF}e")
    let decomposed = Identifier("gro\u{308}\u{DF}e")
    #expect(composed != decomposed)
    #expect(Set([composed, decomposed]).count == 2)
    #expect((composed < decomposed) != (decomposed < composed))
    #expect(QualifiedName(schema: composed, name: composed) != QualifiedName(schema: composed, name: decomposed))
  }

  @Test func `names are ordered by code points`() {
    let names = ["b", "B", "a", "é", "z", "_"].map { Identifier($0) }
    #expect(names.sorted().map(\.name) == ["B", "_", "a", "b", "z", "é"])
  }

  @Test func `names are shown plain and quoted always`() {
    let name = QualifiedName(schema: "s", name: "a\"b")
    #expect("\(name)" == "s.a\"b")
    #expect(name.quoted == "\"s\".\"a\"\"b\"")
    let names = [Identifier("a"), Identifier("b")]
    #expect(names.joined().text == "\"a\", \"b\"")
    #expect(("x" + (["1", "2"] as [SQL]).joined("-")).text == "x1-2")
  }
}
