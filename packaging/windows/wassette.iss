; The installer for Windows (Inno Setup 6): iscc /DVersion=X.Y.Z packaging\windows\wassette.iss
; For one user, without rights of an administrator.
#ifndef Version
  #error Version has to be given: /DVersion=X.Y.Z
#endif

[Setup]
AppId={{7B0C4F2E-6E0B-4E55-9B1B-5A3B4D6C2E11}
AppName=Wassette Desktop
AppVersion={#Version}
AppPublisher=The Wassette Desktop authors
DefaultDirName={localappdata}\Programs\Wassette
PrivilegesRequired=lowest
DisableProgramGroupPage=yes
DisableDirPage=auto
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
MinVersion=10.0.17763
ChangesEnvironment=yes
ChangesAssociations=yes
CloseApplications=yes
Compression=lzma2
SolidCompression=yes
LicenseFile=..\..\LICENSE
SetupIconFile=..\..\build\icons\wassette.ico
UninstallDisplayIcon={app}\wassette-desktop.exe
OutputDir=..\..\dist
OutputBaseFilename=wassette-{#Version}-windows-x86_64-setup

[Tasks]
Name: path; Description: "Make the command wassette available in terminals"
Name: login; Description: "Start at login"; Flags: unchecked

[Files]
Source: "..\..\build\bundle\wassette\*"; DestDir: "{app}"; Flags: recursesubdirs ignoreversion

[InstallDelete]
; Libraries of the version before would be loaded beside those of this one.
Type: filesandordirs; Name: "{app}\_internal"

[Icons]
Name: "{autoprograms}\Wassette"; Filename: "{app}\wassette-desktop.exe"

[Registry]
Root: HKCU; Subkey: "Software\Classes\wassette"; ValueType: string; ValueData: "URL:Wassette"; Flags: uninsdeletekey
Root: HKCU; Subkey: "Software\Classes\wassette"; ValueType: string; ValueName: "URL Protocol"; ValueData: ""
Root: HKCU; Subkey: "Software\Classes\wassette\shell\open\command"; ValueType: string; ValueData: """{app}\wassette-desktop.exe"" ""%1"""
Root: HKCU; Subkey: "Software\Classes\.wasm\OpenWithProgids"; ValueType: string; ValueName: "Wassette.Component"; ValueData: ""; Flags: uninsdeletevalue
Root: HKCU; Subkey: "Software\Classes\Wassette.Component"; ValueType: string; ValueData: "WebAssembly component"; Flags: uninsdeletekey
Root: HKCU; Subkey: "Software\Classes\Wassette.Component\shell\open\command"; ValueType: string; ValueData: """{app}\wassette-desktop.exe"" ""%1"""
Root: HKCU; Subkey: "Software\Microsoft\Windows\CurrentVersion\Run"; ValueType: string; ValueName: "Wassette"; ValueData: """{app}\wassette-desktop.exe"" --hidden"; Flags: uninsdeletevalue; Tasks: login
Root: HKCU; Subkey: "Environment"; ValueType: expandsz; ValueName: "Path"; ValueData: "{olddata};{app}"; Tasks: path; Check: NotOnPath

[Run]
Filename: "{app}\wassette-desktop.exe"; Description: "Start Wassette"; Flags: postinstall nowait skipifsilent

[UninstallRun]
Filename: "{app}\wassette.exe"; Parameters: "host stop --all"; Flags: runhidden; RunOnceId: "stop"

[Code]
function NotOnPath: Boolean;
var
  Known: string;
begin
  Known := '';
  RegQueryStringValue(HKCU, 'Environment', 'Path', Known);
  Result := Pos(';' + Uppercase(ExpandConstant('{app}')) + ';', ';' + Uppercase(Known) + ';') = 0;
end;

procedure CurUninstallStepChanged(Step: TUninstallStep);
var
  Known, Ours: string;
begin
  if Step <> usPostUninstall then exit;
  if not RegQueryStringValue(HKCU, 'Environment', 'Path', Known) then exit;
  Ours := ';' + ExpandConstant('{app}');
  if StringChangeEx(Known, Ours, '', True) > 0 then
    RegWriteExpandStringValue(HKCU, 'Environment', 'Path', Known);
end;
