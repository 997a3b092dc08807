/// A JSON value together with its path, for walking a document.
struct Cursor {
  let node: JSONNode
  let path: String
  let position: TextPosition

  init(root: JSONNode) {
    node = root
    path = "$"
    position = root.position
  }

  private init(node: JSONNode, path: String, position: TextPosition) {
    self.node = node
    self.path = path
    self.position = position
  }

  /// The member of that name, unless it is missing or null.
  subscript(name: String) -> Cursor? {
    guard let child = node[name], !child.isNull else { return nil }
    return Cursor(node: child, path: Self.path(path, name), position: child.position)
  }

  /// The elements; none if this is no array.
  var elements: [Cursor] {
    (node.elements ?? []).enumerated().map { index, element in
      Cursor(node: element, path: "\(path)[\(index)]", position: element.position)
    }
  }

  /// The members with their names, placed at the name; none if this is no object.
  var members: [(name: String, value: Cursor, key: Cursor)] {
    (node.members ?? []).map { member in
      let path = Self.path(path, member.name)
      let value = Cursor(node: member.node, path: path, position: member.node.position)
      return (member.name, value, Cursor(node: member.node, path: path, position: member.position))
    }
  }

  /// The text; a number counts as its spelling, since DMS takes `"rule-id": 1` and `"1"` alike.
  var text: String? {
    if case .number(let spelling) = node.value { return spelling }
    return node.string
  }

  private static func path(_ parent: String, _ name: String) -> String {
    let isPlain =
      !name.isEmpty && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
    return isPlain ? "\(parent).\(name)" : "\(parent)['\(name.replacing("'", with: "\\'"))']"
  }
}
