"""The demo city: real fault reports and a published mix of applications, played through the API on a scaled clock."""
