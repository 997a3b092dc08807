import DMS
import Foundation
import Testing

@testable import Reload

/// What a reload writes down about itself is enough to go on with it.
@Suite struct ReloadNoteTests {
  private static let route = TaskRoute(
    sourceEndpointARN: "arn:source",
    targetEndpointARN: "arn:target",
    runner: .instance(arn: "arn:instance")
  )

  private func note() throws -> ReloadNote {
    let documents = TaskDocuments(
      mappings: "{}",
      settings: "{}",
      sources: ["orders": ("SHOP", "SALES.ORDERS"), "größe": ("SHOP", "GRÖSSE")]
    )
    var request = ReloadRequest(
      window: try TimeWindow(from: SourceTime("2025-01-01"), to: SourceTime("2025-02-01 00:00:00.5")),
      route: Self.route
    ) { _ in documents }
    request.padding = try WindowPadding("90s")
    return ReloadNote(request: request, task: ReloadNote.newName(at: Date()), sources: documents.sources)
  }

  @Test func whatIsWrittenIsReadAgain() throws {
    var note = try note()
    note.taskARN = "arn:task"
    let again = try #require(ReloadNote(note.annotations.merging(["judge_ms": "7", "unknown": "word"]) { $1 }))
    #expect(again.task == note.task)
    #expect(again.window == note.window)
    #expect(again.padding == note.padding)
    #expect(again.route == Self.route)
    #expect(again.taskARN == "arn:task")
    #expect(again.tables == ["größe", "orders"])
    #expect(again.sources["orders"]?.table == "SALES.ORDERS")
    #expect(again.isLoadGood && !note.isLoadGood && !again.isFinished && !again.isTaskDeleted)
    #expect(again.annotations["judge_ms"] == "7")
    #expect(ReloadNote(["reload": "x"]) == nil)
    #expect(ReloadNote([:]) == nil)
  }

  @Test func theSpanHasTheWindowAndWholeSecondsAroundIt() throws {
    let span = try #require(note().span)
    #expect(span.from == "2025-01-01 00:00:00")
    #expect(span.to == "2025-02-01 00:00:00.500000")
    #expect(span.lowest == "2024-12-31 23:58:30")
    #expect(span.highest == "2025-02-01 00:01:31")
  }

  @Test func namesAreNamesOfTasksAndTagsOnesThatAWSTakes() throws {
    let first = ReloadNote.newName(at: Date(timeIntervalSince1970: 1_735_689_600))
    #expect(first.hasPrefix("merge-engine-reload-20250101000000-"))
    #expect(try TaskIdentifier(first).description == first)
    #expect(first != ReloadNote.newName(at: Date(timeIntervalSince1970: 1_735_689_600)))
    let allowed = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: " _.:/=+-@"))
    let note = try note()
    let documents = TaskDocuments(mappings: "{}", settings: "{}", sources: note.sources)
    for tag in try LoadStage.newTask(note, documents).tags {
      #expect((tag.key + tag.value).unicodeScalars.allSatisfy(allowed.contains))
    }
  }
}
