//! Which Windows it is: the key `Microsoft\Windows NT\CurrentVersion` of the SOFTWARE hive.

use crate::registry::{Hive, HiveError};

/// From this build on Windows 10 calls itself 11, except in ProductName.
const FIRST_BUILD_OF_11: u64 = 22_000;

/// What Windows says of itself.
#[derive(Debug, Default)]
pub(super) struct Product {
    /// `Microsoft Windows XP`, `Windows 10 Pro`.
    name: Option<String>,
    /// `5.1`, `6.1`, `10.0`.
    kernel: Option<String>,
    /// `2600`, `19045`.
    build: Option<String>,
    /// The number after the build, from Windows 10 on.
    revision: Option<u64>,
    /// `Service Pack 3`.
    service_pack: Option<String>,
    /// `22H2`, `1709`.
    release: Option<String>,
    /// `Professional`, from Vista on.
    pub(super) edition: Option<String>,
}

impl Product {
    pub(super) fn read(software: &Hive) -> Result<Self, HiveError> {
        let Some(key) = software.key(r"Microsoft\Windows NT\CurrentVersion")? else {
            return Ok(Product::default());
        };
        let major = key.number("CurrentMajorVersionNumber")?;
        let minor = key.number("CurrentMinorVersionNumber")?;
        let kernel = match (major, minor) {
            (Some(major), minor) => Some(format!("{major}.{}", minor.unwrap_or(0))),
            _ => key.string("CurrentVersion")?,
        };
        // Up to XP, CurrentBuild holds a text that says it is obsolete.
        let is_number = |text: &String| text.bytes().all(|byte| byte.is_ascii_digit());
        let build = key.string("CurrentBuildNumber")?.or(key.string("CurrentBuild")?);
        Ok(Product {
            name: key.string("ProductName")?,
            kernel,
            build: build.filter(is_number),
            revision: key.number("UBR")?,
            service_pack: key.string("CSDVersion")?,
            release: key.string("DisplayVersion")?.or(key.string("ReleaseId")?),
            edition: key.string("EditionID")?,
        })
    }

    /// `5.1`, `6.1`, `10.0`.
    pub(super) fn kernel(&self) -> Option<&str> {
        self.kernel.as_deref()
    }

    /// `5.1.2600`, `10.0.19045.3803`.
    pub(super) fn version(&self) -> Option<String> {
        let mut version = self.kernel.clone()?;
        if let Some(build) = &self.build {
            version.push('.');
            version.push_str(build);
            if let Some(revision) = self.revision {
                version.push_str(&format!(".{revision}"));
            }
        }
        Some(version)
    }

    /// The name for people, with service pack or release: `Windows XP Professional Service Pack 3`,
    /// `Windows 10 Pro 22H2`. `edition` completes the names of Windows before Vista, which do not hold it.
    pub(super) fn full_name(&self, edition: Option<&str>) -> String {
        let name = self.name.as_deref().unwrap_or("Windows");
        let mut name = name.replace("(TM)", "").replace("(R)", "").replace(['™', '®'], "");
        name = name.trim_start_matches("Microsoft ").to_owned();
        let build = self.build.as_deref().and_then(|build| build.parse().ok());
        if build.is_some_and(|build: u64| build >= FIRST_BUILD_OF_11) {
            name = name.replacen("Windows 10", "Windows 11", 1);
        }
        let before_vista = self.kernel().is_some_and(|kernel| kernel.starts_with(['4', '5']));
        let mut parts = vec![name];
        parts.extend(
            edition
                .filter(|edition| before_vista && !parts[0].contains(edition))
                .map(str::to_owned),
        );
        parts.extend(self.service_pack.clone());
        parts.extend(self.release.clone());
        let words: Vec<_> = parts.iter().flat_map(|part| part.split_whitespace()).collect();
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::Product;

    fn product(name: &str, kernel: &str, build: &str) -> Product {
        Product {
            name: Some(name.to_owned()),
            kernel: Some(kernel.to_owned()),
            build: Some(build.to_owned()),
            ..Product::default()
        }
    }

    #[test]
    fn names_before_vista_get_their_edition_and_service_pack() {
        let mut xp = product("Microsoft Windows XP", "5.1", "2600");
        xp.service_pack = Some("Service Pack 3".to_owned());
        assert_eq!(
            xp.full_name(Some("Professional")),
            "Windows XP Professional Service Pack 3"
        );
        assert_eq!(xp.version().as_deref(), Some("5.1.2600"));
        let server = product("Microsoft Windows Server 2003 R2", "5.2", "3790");
        assert_eq!(server.full_name(None), "Windows Server 2003 R2");
    }

    #[test]
    fn windows_11_calls_itself_10() {
        let mut eleven = product("Windows 10 Pro", "10.0", "22631");
        eleven.release = Some("23H2".to_owned());
        assert_eq!(eleven.full_name(Some("Professional")), "Windows 11 Pro 23H2");
        assert_eq!(
            product("Windows 10 Pro", "10.0", "19045").full_name(None),
            "Windows 10 Pro"
        );
        let server = product("Windows Server 2022 Standard", "10.0", "26100");
        assert_eq!(server.full_name(None), "Windows Server 2022 Standard");
    }

    #[test]
    fn trade_marks_are_no_part_of_the_name() {
        let vista = product("Windows Vista (TM) Home Premium", "6.0", "6002");
        assert_eq!(vista.full_name(None), "Windows Vista Home Premium");
    }
}
