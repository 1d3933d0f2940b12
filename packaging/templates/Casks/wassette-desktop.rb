cask "wassette-desktop" do
  arch arm: "aarch64", intel: "x86_64"

  version "@VERSION@"
  sha256 arm:   "@SHA256:wassette-VERSION-macos-aarch64.dmg@",
         intel: "@SHA256:wassette-VERSION-macos-x86_64.dmg@"

  url "@REPOSITORY@/releases/download/v#{version}/wassette-#{version}-macos-#{arch}.dmg"
  name "@TITLE@"
  desc "@SUMMARY@"
  homepage "@REPOSITORY@"

  depends_on macos: ">= :monterey"

  app "Wassette.app"
  binary "#{appdir}/Wassette.app/Contents/MacOS/wassette"

  uninstall launchctl: "@ID@",
            quit:      "@ID@"

  zap trash: [
    "~/.cache/wassette",
    "~/.config/wassette",
    "~/.local/share/wassette",
    "~/.local/state/wassette",
  ]
end
