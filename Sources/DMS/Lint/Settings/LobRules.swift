/// Whether large objects are loaded, and whole.
enum LobRules {
  static func check(_ root: Cursor, _ found: inout FindingList) {
    guard let metadata = root["TargetMetadata"] else { return }
    let isOn = { (name: String) in metadata[name]?.node.bool == true }
    let size = { (name: String) in metadata[name]?.node.integer }
    let (isFull, isLimited) = (isOn("FullLobMode"), isOn("LimitedSizeLobMode"))

    if isFull, isLimited, let place = metadata["LimitedSizeLobMode"] {
      found.add(
        .twoLOBModes,
        at: place,
        "FullLobMode and LimitedSizeLobMode are both true, but only one of them can be",
        advice: "keep LimitedSizeLobMode where the largest LOB is known, FullLobMode where it is not"
      )
    }
    guard isOn("SupportLobs") else {
      checkOff(metadata, isAnyMode: isFull || isLimited, &found)
      return
    }
    if !isFull, !isLimited, let place = metadata["SupportLobs"] {
      found.add(
        .lobsWithoutMode,
        at: place,
        "SupportLobs is true, but neither FullLobMode nor LimitedSizeLobMode is",
        advice: "set \"LimitedSizeLobMode\": true with LobMaxSize, or \"FullLobMode\": true with LobChunkSize"
      )
    }
    if isLimited {
      if let place = metadata["LobMaxSize"], let kilobytes = size("LobMaxSize"), kilobytes > 0 {
        found.add(
          .lobTruncation,
          at: place,
          "LOBs larger than \(kilobytes) kB are truncated, with only a warning in the log",
          advice: "give the size of the largest LOB, use FullLobMode, or set FailTasksOnLobTruncation on the endpoint"
        )
      } else {
        sizeMissing("LobMaxSize", "LimitedSizeLobMode", metadata: metadata, into: &found)
      }
    }
    if isFull, (size("LobChunkSize") ?? 0) <= 0 {
      sizeMissing("LobChunkSize", "FullLobMode", metadata: metadata, into: &found)
    }
    if isFull, let place = metadata["LobChunkSize"], let kilobytes = size("LobChunkSize"), kilobytes > 64 {
      found.add(
        .badSettingValue,
        at: place,
        "a LobChunkSize of \(kilobytes) kB exceeds the 64 kB that AWS recommends and can make the task fail",
        advice: "write 64"
      )
    }
    if !isFull, let place = metadata["LobChunkSize"], (size("LobChunkSize") ?? 0) > 0 {
      found.add(
        .settingWithoutEffect,
        at: place,
        "LobChunkSize has an effect only when FullLobMode is true",
        advice: "leave it out, or leave it as it is"
      )
    }
  }

  private static func checkOff(_ metadata: Cursor, isAnyMode: Bool, _ found: inout FindingList) {
    guard isAnyMode else { return }
    found.add(
      .lobsNotLoaded,
      at: metadata["SupportLobs"] ?? metadata,
      "a LOB mode is set, but SupportLobs is not true: LOB columns are not loaded at all",
      advice: "write \"SupportLobs\": true, or set both modes to false"
    )
  }

  private static func sizeMissing(_ name: String, _ mode: String, metadata: Cursor, into found: inout FindingList) {
    found.add(
      .lobSizeMissing,
      at: metadata[name] ?? metadata,
      "\(mode) needs \(name), in kilobytes and more than 0",
      advice: "add \"\(name)\" with a number, for example 64"
    )
  }
}
