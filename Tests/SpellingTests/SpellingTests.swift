import Spelling
import Testing

@Suite("What somebody meant")
struct SpellingTests {
  @Test("is what differs only by case, before anything nearer by letters")
  func caseComesFirst() {
    #expect(Spelling.closest(to: "ORDERS", in: ["order", "orders", "Orders_2"]) == "orders")
  }

  @Test(
    "is what one or two slips of the hand lead to",
    arguments: ["ordes": "orders", "odrers": "orders", "max_error": "max-errors", "updatd_at": "updated_at"]
  )
  func slips(typed: String, meant: String) {
    #expect(Spelling.closest(to: typed, in: ["customers", "orders", "max-errors", "updated_at"]) == meant)
  }

  @Test("is nothing where no name is near")
  func nothingNear() {
    #expect(Spelling.closest(to: "audit", in: ["orders", "customers", "edit_log"]) == nil)
    #expect(Spelling.question(for: "audit", in: ["orders"]).isEmpty)
    #expect(Spelling.question(for: "ordes", in: ["orders"]) == " Did you mean orders?")
  }

  @Test("two names that only differ by case or by the encoding of an accent are the same")
  func sameNames() {
    #expect(Spelling.isSame("CUSTOMERS", "customers"))
    #expect(Spelling.isSame("caf\u{e9}", "CAFE\u{301}"))
    #expect(!Spelling.isSame("orders", "order"))
  }
}
