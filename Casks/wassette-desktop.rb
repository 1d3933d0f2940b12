cask "wassette-desktop" do
  arch arm: "aarch64", intel: "x86_64"

  version "0.1.0"
  sha256 arm:   "0000000000000000000000000000000000000000000000000000000000000000",
         intel: "0000000000000000000000000000000000000000000000000000000000000000"

  url "https://github.com/wassette-desktop/wassette-desktop/releases/download/v#{version}/wassette-#{version}-macos-#{arch}.dmg"
  name "Wassette Desktop"
  desc "Runs untrusted MCP tools as WebAssembly components, in a sandbox"
  homepage "https://github.com/wassette-desktop/wassette-desktop"

  depends_on macos: ">= :monterey"

  app "Wassette.app"
  binary "#{appdir}/Wassette.app/Contents/MacOS/wassette"

  uninstall launchctl: "io.github.wassette_desktop.Wassette",
            quit:      "io.github.wassette_desktop.Wassette"

  zap trash: [
    "~/.cache/wassette",
    "~/.config/wassette",
    "~/.local/share/wassette",
    "~/.local/state/wassette",
  ]
end
