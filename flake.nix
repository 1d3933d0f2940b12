{
  description = "Runs untrusted MCP tools as WebAssembly components, in a sandbox";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    # uv.lock is the one list of what we use; these read it.
    pyproject-nix = {
      url = "github:pyproject-nix/pyproject.nix";
      inputs.nixpkgs.follows = "nixpkgs";
    };
    uv2nix = {
      url = "github:pyproject-nix/uv2nix";
      inputs.pyproject-nix.follows = "pyproject-nix";
      inputs.nixpkgs.follows = "nixpkgs";
    };
    build-systems = {
      url = "github:pyproject-nix/build-system-pkgs";
      inputs.pyproject-nix.follows = "pyproject-nix";
      inputs.uv2nix.follows = "uv2nix";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs =
    {
      self,
      nixpkgs,
      pyproject-nix,
      uv2nix,
      build-systems,
    }:
    let
      version = builtins.head (
        builtins.match ".*__version__ = \"([^\"]+)\".*" (builtins.readFile ./backend/wassette/_version.py)
      );
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      forAll = f: nixpkgs.lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
      workspace = uv2nix.lib.workspace.loadWorkspace { workspaceRoot = ./.; };
      # Wheels: wasmtime's library, and the window's pages, are built already.
      overlay = workspace.mkPyprojectOverlay { sourcePreference = "wheel"; };
      pythonSet =
        pkgs:
        (pkgs.callPackage pyproject-nix.build.packages { python = pkgs.python313; }).overrideScope (
          pkgs.lib.composeManyExtensions [
            build-systems.overlays.wheel
            overlay
            (final: prev: {
              # The window is built with Node, from what its lock file says.
              wassette-desktop = prev.wassette-desktop.overrideAttrs (old: {
                nativeBuildInputs = old.nativeBuildInputs ++ [
                  pkgs.nodejs_24
                  pkgs.importNpmLock.npmConfigHook
                ];
                npmDeps = pkgs.importNpmLock { npmRoot = ./frontend; };
                npmRoot = "frontend";
              });
            })
          ]
        );
    in
    {
      packages = forAll (
        pkgs:
        let
          environment = (pythonSet pkgs).mkVirtualEnv "wassette-desktop" workspace.deps.default;
        in
        {
          default = pkgs.stdenvNoCC.mkDerivation {
            pname = "wassette-desktop";
            inherit version;
            dontUnpack = true;
            nativeBuildInputs = [ pkgs.makeWrapper ];
            # Only our own programs, not those of what we use. On Linux the walls need libseccomp.
            installPhase = ''
              mkdir -p $out/bin
              for name in wassette wassette-desktop; do
                makeWrapper ${environment}/bin/$name $out/bin/$name ${
                  pkgs.lib.optionalString pkgs.stdenv.isLinux "--prefix LD_LIBRARY_PATH : ${pkgs.lib.makeLibraryPath [ pkgs.libseccomp ]}"
                }
              done
            '';
            meta = {
              description = "Runs untrusted MCP tools as WebAssembly components, in a sandbox";
              license = pkgs.lib.licenses.mit;
              mainProgram = "wassette";
              platforms = systems;
            };
          };
        }
      );

      apps = forAll (pkgs: {
        default = {
          type = "app";
          program = "${self.packages.${pkgs.system}.default}/bin/wassette";
        };
      });

      devShells = forAll (pkgs: {
        default = pkgs.mkShell {
          packages = [
            pkgs.python313
            pkgs.uv
            pkgs.nodejs_24
          ] ++ pkgs.lib.optionals pkgs.stdenv.isLinux [ pkgs.libseccomp ];
          env.UV_PYTHON_DOWNLOADS = "never";
        };
      });
    };
}
